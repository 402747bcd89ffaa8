// CUDA C as plain C++, for one thread of the CPU: what kernels call, and the words that mark them. Included before every kernel.
#pragma once
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>

using std::isnan;

struct Place {
    unsigned x, y, z;
};
extern Place threadIdx, blockIdx, blockDim, gridDim;

// Ends this thread's turn until its block, or its warp, has come as far.
extern "C" void emulated_block_barrier();
extern "C" void emulated_warp_barrier();
// A word per thread of the block, to be read by others of its warp.
extern uint64_t emulated_words[1024];

#define __global__ __attribute__((visibility("default")))
#define __device__
#define __host__
#define __forceinline__ inline
// Blocks run one after the other, so a block's memory may be anyone's.
#define __shared__ static
#define __launch_bounds__(...)
#define warpSize 32

inline void __syncthreads() { emulated_block_barrier(); }

template <class T> T emulated_exchange(T v, unsigned from) {
    unsigned me = threadIdx.x;
    static_assert(sizeof(T) <= 8, "a word");
    std::memcpy(&emulated_words[me], &v, sizeof(T));
    emulated_warp_barrier();
    T got;
    std::memcpy(&got, &emulated_words[from], sizeof(T));
    emulated_warp_barrier();
    return got;
}
template <class T> T __shfl_xor_sync(unsigned, T v, int mask, int = 32) { return emulated_exchange(v, threadIdx.x ^ mask); }
template <class T> T __shfl_down_sync(unsigned, T v, unsigned by, int = 32) {
    unsigned lane = threadIdx.x % 32;
    return emulated_exchange(v, lane + by < 32 ? threadIdx.x + by : threadIdx.x);
}

template <class A, class B> typename std::common_type<A, B>::type min(A a, B b) { return b < a ? b : a; }
template <class A, class B> typename std::common_type<A, B>::type max(A a, B b) { return a < b ? b : a; }

// One thread at a time: an atomic is a plain operation.
template <class T> T atomicAdd(T* at, T v) {
    T old = *at;
    *at = old + v;
    return old;
}
inline unsigned atomicCAS(unsigned* at, unsigned expected, unsigned v) {
    unsigned old = *at;
    if (old == expected) *at = v;
    return old;
}
inline unsigned long long atomicCAS(unsigned long long* at, unsigned long long expected, unsigned long long v) {
    unsigned long long old = *at;
    if (old == expected) *at = v;
    return old;
}
template <class To, class From> To emulated_bits(From v) {
    To to;
    std::memcpy(&to, &v, sizeof(To));
    return to;
}
inline unsigned __float_as_uint(float v) { return emulated_bits<unsigned>(v); }
inline float __uint_as_float(unsigned v) { return emulated_bits<float>(v); }
inline int __float_as_int(float v) { return emulated_bits<int>(v); }
inline float __int_as_float(int v) { return emulated_bits<float>(v); }
inline long long __double_as_longlong(double v) { return emulated_bits<long long>(v); }
inline double __longlong_as_double(long long v) { return emulated_bits<double>(v); }
template <class T> T __ldg(const T* at) { return *at; }
inline float rsqrtf(float v) { return 1.0f / std::sqrt(v); }
inline double rsqrt(double v) { return 1.0 / std::sqrt(v); }
inline float normcdff(float v) { return 0.5f * std::erfc(-v * 0.70710678f); }
inline double normcdf(double v) { return 0.5 * std::erfc(-v * 0.70710678118654752); }
struct float2 {
    float x, y;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
struct alignas(16) float4 {
    float x, y, z, w;
};
