// A stand-in for the CUDA driver, cuBLAS, cuRAND and cuDNN: memory of the GPU is main memory, a kernel is a function of this library
// that is called once per thread, one after the other, and a product or convolution is a loop. For checking indices, arithmetic
// and the order of arguments where there is no GPU. It sees no race between threads, and nothing of the real libraries. Copies out of
// page-locked memory happen as late as a GPU may make them: when their stream is waited for or does something else.
#include <dlfcn.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cublas_v2.h"
#include "cuda.h"
#include "cudnn.h"
#include "curand.h"

// ---- threads of a block, each with a stack of its own

struct Place {
    unsigned x, y, z;
};
Place threadIdx, blockIdx, blockDim, gridDim;
uint64_t emulated_words[1024];

namespace {

enum State { RUNS, AT_BLOCK, AT_WARP, DONE };
const size_t STACK = 64 << 10;
struct Thread {
    ucontext_t context;
    State state;
    std::vector<char> stack;
};
std::vector<Thread> threads;
ucontext_t scheduler;
unsigned current;

struct Function {
    std::string name;
    void* code;
    // One letter per argument: f and d for floats, w for words of any size up to 8 bytes.
    std::string types;
    std::vector<int> bytes;
    // Its threads wait for each other, and need a stack each.
    bool waits;
};
struct Call {
    uint64_t words[6] = {}, more[24] = {};
    double floats[8] = {};
} call;
void* code;

// By the calling convention of System V: the first six words and eight floats go in registers, further words on the stack.
void enter() {
    typedef void (*Any)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, double, double, double, double, double, double, double,
                        double, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
    const uint64_t *w = call.words, *m = call.more;
    const double* f = call.floats;
    ((Any)code)(w[0], w[1], w[2], w[3], w[4], w[5], f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], m[0], m[1], m[2], m[3], m[4], m[5], m[6],
                m[7], m[8], m[9], m[10], m[11], m[12], m[13], m[14], m[15]);
}

void thread_main() {
    enter();
    threads[current].state = DONE;
    swapcontext(&threads[current].context, &scheduler);
}

void wait(State what) {
    unsigned me = current;
    threads[me].state = what;
    swapcontext(&threads[me].context, &scheduler);
}

void run_block(unsigned count) {
    if (threads.size() < count) threads.resize(count);
    for (unsigned t = 0; t < count; t++) {
        Thread& thread = threads[t];
        thread.stack.resize(STACK);
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack.data();
        thread.context.uc_stack.ss_size = STACK;
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, thread_main, 0);
        thread.state = RUNS;
    }
    for (unsigned left = count; left > 0;) {
        bool moved = false;
        for (unsigned t = 0; t < count; t++) {
            if (threads[t].state != RUNS) continue;
            moved = true;
            current = t;
            threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
            swapcontext(&scheduler, &threads[t].context);
            if (threads[t].state == DONE) left--;
        }
        for (unsigned warp = 0; warp < count; warp += 32) {
            unsigned end = warp + 32 < count ? warp + 32 : count;
            bool any = false, all = true;
            for (unsigned t = warp; t < end; t++) {
                any |= threads[t].state == AT_WARP;
                all &= threads[t].state != RUNS;
            }
            for (unsigned t = warp; any && all && t < end; t++) {
                if (threads[t].state == AT_WARP) threads[t].state = RUNS, moved = true;
            }
        }
        if (!moved) {
            // Nobody can go on but those who wait for their block, all of whom have arrived.
            bool any = false;
            for (unsigned t = 0; t < count; t++) {
                if (threads[t].state == AT_BLOCK) threads[t].state = RUNS, any = true;
            }
            if (!any && left > 0) abort();
        }
    }
}

CUresult launch(const Function& f, Place grid, Place block, void** arguments) {
    call = Call();
    unsigned words = 0, floats = 0;
    for (size_t i = 0; i < f.types.size(); i++) {
        uint64_t v = 0;
        memcpy(&v, arguments[i], f.bytes[i]);
        if (f.types[i] == 'w') {
            if (words < 6) call.words[words] = v;
            else if (words < 22) call.more[words - 6] = v;
            else return CUDA_ERROR_NOT_SUPPORTED;
            words++;
        } else {
            if (floats == 8) return CUDA_ERROR_NOT_SUPPORTED;
            memcpy(&call.floats[floats++], &v, 8);
        }
    }
    code = f.code;
    gridDim = grid;
    blockDim = block;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = {x, y, z};
                unsigned count = block.x * block.y * block.z;
                if (f.waits) {
                    run_block(count);
                    continue;
                }
                for (unsigned t = 0; t < count; t++) {
                    threadIdx = {t % block.x, t / block.x % block.y, t / (block.x * block.y)};
                    enter();
                }
            }
    return CUDA_SUCCESS;
}

struct Module {
    std::map<std::string, Function*> functions;
};

// The entries of a PTX text and the types of their arguments; the code itself is this library's function of that name.
Module* read_ptx(const char* text) {
    Module* module = new Module;
    std::istringstream in(text);
    Function *f = nullptr, *body = nullptr;
    for (std::string word; in >> word;) {
        if (body && (word.rfind("bar", 0) == 0 || word.rfind("shfl", 0) == 0 || word.rfind("call", 0) == 0)) body->waits = true;
        if (word == ".entry") {
            in >> word;
            f = body = new Function{word.substr(0, word.find('(')), nullptr, "", {}, false};
            f->code = dlsym(RTLD_DEFAULT, f->name.c_str());
            module->functions[f->name] = f;
        } else if (word == ".param" && f) {
            std::string type;
            in >> type;
            if (type == ".align") {
                fprintf(stderr, "emulated: %s takes a structure by value\n", f->name.c_str());
                f->code = nullptr;
                continue;
            }
            f->types += type == ".f32" ? 'f' : type == ".f64" ? 'd' : 'w';
            f->bytes.push_back(atoi(type.c_str() + 2) / 8);
        } else if (word[0] == '{' || word == ".maxntid" || word[0] == ')') {
            f = nullptr;
        }
    }
    return module;
}

int failing = getenv("EMULATED_NO_GPU") != nullptr;

// ---- copies that are still to happen, in the order in which they were asked for

struct Copy {
    CUstream stream;
    void* to;
    const void* from;
    size_t bytes, number;
};
std::deque<Copy> copies;
size_t asked = 0;
struct Event {
    CUstream stream;
    // Of the copies that it is behind, the last.
    size_t number;
};
std::map<const char*, size_t> locked;
// As where a system lets nobody have more.
const size_t LOCKED = 64 << 20;
size_t locked_bytes = 0;
// The one that cuBLAS and cuDNN work on.
CUstream libraries = nullptr;

const size_t ALL = (size_t)-1;

// Makes those of a stream up to one of them, at most so many; whether there were any.
bool reach(CUstream stream, size_t number = ALL, size_t most = ALL) {
    bool any = false;
    for (auto c = copies.begin(); c != copies.end() && most > 0;) {
        if (c->stream != stream || c->number > number) {
            ++c;
            continue;
        }
        memcpy(c->to, c->from, c->bytes);
        c = copies.erase(c);
        any = true;
        most--;
    }
    return any;
}

void reach_all() {
    while (!copies.empty()) reach(copies.front().stream);
}

bool is_locked(const void* p) {
    auto after = locked.upper_bound((const char*)p);
    return after != locked.begin() && (const char*)p < (--after)->first + after->second;
}

[[noreturn]] void wrong(const char* what) {
    fprintf(stderr, "emulated: %s\n", what);
    abort();
}

}  // namespace

extern "C" {

void emulated_block_barrier() { wait(AT_BLOCK); }
void emulated_warp_barrier() { wait(AT_WARP); }

// ---- driver

CUresult cuInit(unsigned) { return failing ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS; }
// NVRTC asks for it.
CUresult cuGetExportTable(const void** table, const CUuuid*) { return *table = nullptr, CUDA_ERROR_NOT_FOUND; }
CUresult cuDeviceGet(CUdevice* d, int i) { return *d = i, i == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceGetCount(int* n) { return *n = 1, CUDA_SUCCESS; }
CUresult cuDeviceGetAttribute(int* v, CUdevice_attribute a, CUdevice) {
    *v = a == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ? 9 : a == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? 0 : 1;
    return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* c, CUdevice) { return *c = (CUcontext)1, CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxGetCurrent(CUcontext* c) { return *c = (CUcontext)1, CUDA_SUCCESS; }
CUresult cuCtxSynchronize() { return reach_all(), CUDA_SUCCESS; }
CUresult cuStreamCreate(CUstream* s, unsigned) { return *s = (CUstream) new char, CUDA_SUCCESS; }
CUresult cuStreamDestroy_v2(CUstream s) { return reach(s), delete (char*)s, CUDA_SUCCESS; }
CUresult cuStreamSynchronize(CUstream s) { return reach(s), CUDA_SUCCESS; }
// What a stream waits for happens at once, which is one of the times when it may.
CUresult cuStreamWaitEvent(CUstream, CUevent e, unsigned) { return reach(((Event*)e)->stream, ((Event*)e)->number), CUDA_SUCCESS; }
CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus* s) { return *s = CU_STREAM_CAPTURE_STATUS_NONE, CUDA_SUCCESS; }
CUresult cuEventCreate(CUevent* e, unsigned) { return *e = (CUevent) new Event{nullptr, 0}, CUDA_SUCCESS; }
CUresult cuEventDestroy_v2(CUevent e) { return delete (Event*)e, CUDA_SUCCESS; }
CUresult cuEventRecord(CUevent e, CUstream s) { return *(Event*)e = {s, asked}, CUDA_SUCCESS; }
CUresult cuEventSynchronize(CUevent e) { return reach(((Event*)e)->stream, ((Event*)e)->number), CUDA_SUCCESS; }
// Who asks again and again sees it happen, a copy at a time.
CUresult cuEventQuery(CUevent e) {
    return reach(((Event*)e)->stream, ((Event*)e)->number, 1) ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}
CUresult cuMemHostAlloc(void** p, size_t n, unsigned) {
    if (locked_bytes + n > LOCKED || posix_memalign(p, 4096, n)) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(*p, 0xff, n);
    locked[(const char*)*p] = n;
    locked_bytes += n;
    return CUDA_SUCCESS;
}
CUresult cuMemFreeHost(void* p) {
    auto found = locked.find((const char*)p);
    if (found == locked.end()) return CUDA_ERROR_INVALID_VALUE;
    for (const Copy& c : copies)
        if (c.from == p) wrong("page-locked memory is given back that a copy still reads");
    locked_bytes -= found->second;
    locked.erase(found);
    return free(p), CUDA_SUCCESS;
}
// Filled with NaN, so that what a kernel leaves out is seen.
CUresult cuMemAlloc_v2(CUdeviceptr* p, size_t n) {
    void* at = nullptr;
    if (posix_memalign(&at, 256, n ? n : 1)) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(at, 0xff, n);
    *p = (CUdeviceptr)at;
    return CUDA_SUCCESS;
}
CUresult cuMemAllocAsync(CUdeviceptr* p, size_t n, CUstream) { return cuMemAlloc_v2(p, n); }
CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* p, CUdevice) { return *p = (CUmemoryPool)1, CUDA_SUCCESS; }
CUresult cuMemPoolSetAttribute(CUmemoryPool, CUmemPool_attribute a, void* v) {
    return a == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD && *(uint64_t*)v == UINT64_MAX ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuMemFreeAsync(CUdeviceptr p, CUstream s) {
    reach(s);
    for (const Copy& c : copies)
        if (c.to == (void*)p) wrong("memory is given back that a copy of another stream still writes");
    return free((void*)p), CUDA_SUCCESS;
}
CUresult cuMemFree_v2(CUdeviceptr p) { return reach_all(), cuMemFreeAsync(p, nullptr); }
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t n, CUstream s) {
    if (is_locked(from)) return copies.push_back({s, (void*)to, from, n, ++asked}), CUDA_SUCCESS;
    return reach(s), memcpy((void*)to, from, n), CUDA_SUCCESS;
}
CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t n, CUstream s) { return reach(s), memcpy(to, (void*)from, n), CUDA_SUCCESS; }
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream s) {
    return reach(s), memcpy((void*)to, (void*)from, n), CUDA_SUCCESS;
}
CUresult cuMemsetD8Async(CUdeviceptr p, unsigned char v, size_t n, CUstream s) { return reach(s), memset((void*)p, v, n), CUDA_SUCCESS; }
CUresult cuMemGetInfo_v2(size_t* free, size_t* all) { return *free = *all = 1ul << 33, CUDA_SUCCESS; }
CUresult cuModuleLoadData(CUmodule* m, const void* text) { return *m = (CUmodule)read_ptx((const char*)text), CUDA_SUCCESS; }
CUresult cuModuleUnload(CUmodule) { return CUDA_SUCCESS; }
CUresult cuModuleGetFunction(CUfunction* f, CUmodule m, const char* name) {
    auto& all = ((Module*)m)->functions;
    auto found = all.find(name);
    if (found == all.end() || !found->second->code) {
        fprintf(stderr, "emulated: there is no kernel %s\n", name);
        return CUDA_ERROR_NOT_FOUND;
    }
    return *f = (CUfunction)found->second, CUDA_SUCCESS;
}
CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, CUstream s,
                        void** arguments, void**) {
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || bx * by * bz > 1024 || !bx) return CUDA_ERROR_INVALID_VALUE;
    reach(s);
    return launch(*(Function*)f, {gx, gy, gz}, {bx, by, bz}, arguments);
}
CUresult cuGetErrorName(CUresult, const char** s) { return *s = "EMULATED", CUDA_SUCCESS; }
CUresult cuGetErrorString(CUresult e, const char** s) {
    return *s = e == CUDA_ERROR_NO_DEVICE ? "no CUDA-capable device is detected" : "refused by the emulation", CUDA_SUCCESS;
}

// ---- cuRAND and cuBLAS

curandStatus_t curandCreateGenerator(curandGenerator_t* g, curandRngType_t) { return *g = nullptr, CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetPseudoRandomGeneratorSeed(curandGenerator_t, unsigned long long) { return CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetStream(curandGenerator_t, cudaStream_t) { return CURAND_STATUS_SUCCESS; }
curandStatus_t curandDestroyGenerator(curandGenerator_t) { return CURAND_STATUS_SUCCESS; }
cublasStatus_t cublasCreate_v2(cublasHandle_t* h) { return *h = (cublasHandle_t)1, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasDestroy_v2(cublasHandle_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetStream_v2(cublasHandle_t, cudaStream_t s) { return libraries = s, CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void*, size_t) { return CUBLAS_STATUS_SUCCESS; }

}  // extern "C"

namespace {

// bf16: the upper half of a float, to the nearest, ties to even.
struct bfloat {
    uint16_t bits;
    operator double() const {
        uint32_t whole = (uint32_t)bits << 16;
        float v;
        memcpy(&v, &whole, 4);
        return v;
    }
    static bfloat of(double d) {
        float v = (float)d;
        uint32_t b;
        memcpy(&b, &v, 4);
        return {(uint16_t)((b + 0x7fff + ((b >> 16) & 1)) >> 16)};
    }
};

template <class T, class F>
cublasStatus_t product(cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, T alpha, const F* a, int lda, const F* b, int ldb,
                       T beta, T* c, int ldc) {
    reach(libraries);
    if (lda < (ta == CUBLAS_OP_N ? m : k) || ldb < (tb == CUBLAS_OP_N ? k : n) || ldc < m) return CUBLAS_STATUS_INVALID_VALUE;
    for (long j = 0; j < n; j++)
        for (long i = 0; i < m; i++) {
            double sum = 0;
            for (long l = 0; l < k; l++) {
                sum += (double)(ta == CUBLAS_OP_N ? a[l * lda + i] : a[i * lda + l]) * (double)(tb == CUBLAS_OP_N ? b[j * ldb + l] : b[l * ldb + j]);
            }
            c[j * ldc + i] = alpha * (T)sum + (beta == 0 ? (T)0 : beta * c[j * ldc + i]);
        }
    return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const void* alpha,
                                          const void* a, cudaDataType at, int lda, long long sa, const void* b, cudaDataType bt, int ldb,
                                          long long sb, const void* beta, void* c, cudaDataType ct, int ldc, long long sc, int count,
                                          cublasComputeType_t, cublasGemmAlgo_t) {
    bool half = at == CUDA_R_16BF;
    if ((at != CUDA_R_32F && !half) || bt != at || ct != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    for (int i = 0; i < count; i++) {
        auto status = half ? product<float>(ta, tb, m, n, k, *(float*)alpha, (bfloat*)a + i * sa, lda, (bfloat*)b + i * sb, ldb,
                                            *(float*)beta, (float*)c + i * sc, ldc)
                           : product<float>(ta, tb, m, n, k, *(float*)alpha, (float*)a + i * sa, lda, (float*)b + i * sb, ldb,
                                            *(float*)beta, (float*)c + i * sc, ldc);
        if (status != CUBLAS_STATUS_SUCCESS) return status;
    }
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGemmEx(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const void* alpha, const void* a,
                            cudaDataType at, int lda, const void* b, cudaDataType bt, int ldb, const void* beta, void* c, cudaDataType ct,
                            int ldc, cublasComputeType_t how, cublasGemmAlgo_t algo) {
    return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, a, at, lda, 0, b, bt, ldb, 0, beta, c, ct, ldc, 0, 1, how, algo);
}
cublasStatus_t cublasDgemmStridedBatched(cublasHandle_t, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const double* alpha,
                                         const double* a, int lda, long long sa, const double* b, int ldb, long long sb, const double* beta,
                                         double* c, int ldc, long long sc, int count) {
    for (int i = 0; i < count; i++) {
        auto status = product<double>(ta, tb, m, n, k, *alpha, a + i * sa, lda, b + i * sb, ldb, *beta, c + i * sc, ldc);
        if (status != CUBLAS_STATUS_SUCCESS) return status;
    }
    return CUBLAS_STATUS_SUCCESS;
}

// ---- cuDNN: f32, f64 and bf16 in NCHW; an image to read may have any strides

struct cudnnTensorStruct {
    int n, c, h, w, step[4];
    cudnnDataType_t type;
};
struct cudnnFilterStruct {
    int to, c, h, w;
    cudnnDataType_t type;
};
struct cudnnConvolutionStruct {
    int pad[2], stride[2], dilation[2], groups;
};

static bool known(cudnnDataType_t t) { return t == CUDNN_DATA_FLOAT || t == CUDNN_DATA_DOUBLE || t == CUDNN_DATA_BFLOAT16; }

cudnnStatus_t cudnnCreate(cudnnHandle_t* h) { return *h = (cudnnHandle_t)1, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnDestroy(cudnnHandle_t) { return CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetStream(cudnnHandle_t, cudaStream_t s) { return libraries = s, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* d) { return *d = new cudnnTensorStruct, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t d) { return delete d, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t d, cudnnTensorFormat_t f, cudnnDataType_t t, int n, int c, int h, int w) {
    if (f != CUDNN_TENSOR_NCHW || !known(t)) return CUDNN_STATUS_NOT_SUPPORTED;
    return *d = {n, c, h, w, {c * h * w, h * w, w, 1}, t}, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t d, cudnnDataType_t t, int n, int c, int h, int w, int sn, int sc, int sh,
                                           int sw) {
    if (!known(t)) return CUDNN_STATUS_NOT_SUPPORTED;
    return *d = {n, c, h, w, {sn, sc, sh, sw}, t}, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* d) { return *d = new cudnnFilterStruct, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t d) { return delete d, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t d, cudnnDataType_t t, cudnnTensorFormat_t f, int to, int c, int h, int w) {
    if (f != CUDNN_TENSOR_NCHW || !known(t)) return CUDNN_STATUS_NOT_SUPPORTED;
    return *d = {to, c, h, w, t}, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* d) { return *d = new cudnnConvolutionStruct, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t d) { return delete d, CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t d, int ph, int pw, int sh, int sw, int dh, int dw,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t t) {
    if (mode != CUDNN_CROSS_CORRELATION || t > CUDNN_DATA_DOUBLE) return CUDNN_STATUS_NOT_SUPPORTED;
    return *d = {{ph, pw}, {sh, sw}, {dh, dw}, 1}, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t, cudnnMathType_t) { return CUDNN_STATUS_SUCCESS; }
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t d, int n) { return d->groups = n, CUDNN_STATUS_SUCCESS; }

}  // extern "C"

namespace {

// Every product of an image's and a filter's number with the output that it goes to.
template <class F>
cudnnStatus_t each(cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t v, cudnnTensorDescriptor_t y, F f) {
    int span_h = v->dilation[0] * (w->h - 1) + 1, span_w = v->dilation[1] * (w->w - 1) + 1;
    bool fits = y->n == x->n && y->c == w->to && x->c == w->c * v->groups && w->to % v->groups == 0 &&
                y->h == (x->h + 2 * v->pad[0] - span_h) / v->stride[0] + 1 && y->w == (x->w + 2 * v->pad[1] - span_w) / v->stride[1] + 1;
    if (!fits) return CUDNN_STATUS_BAD_PARAM;
    int per = w->to / v->groups;
    for (int n = 0; n < y->n; n++)
        for (int o = 0; o < y->c; o++)
            for (int oy = 0; oy < y->h; oy++)
                for (int ox = 0; ox < y->w; ox++)
                    for (int c = 0; c < w->c; c++)
                        for (int ky = 0; ky < w->h; ky++)
                            for (int kx = 0; kx < w->w; kx++) {
                                int iy = oy * v->stride[0] - v->pad[0] + ky * v->dilation[0];
                                int ix = ox * v->stride[1] - v->pad[1] + kx * v->dilation[1];
                                if (iy < 0 || iy >= x->h || ix < 0 || ix >= x->w) continue;
                                f(n * x->step[0] + (o / per * w->c + c) * x->step[1] + iy * x->step[2] + ix * x->step[3], ((o * w->c + c) * w->h + ky) * w->w + kx,
                                  ((n * y->c + o) * y->h + oy) * y->w + ox);
                            }
    return CUDNN_STATUS_SUCCESS;
}

template <class Result, class Algo> cudnnStatus_t offer(int* count, Result* found, Algo algo) {
    memset(found, 0, sizeof(Result));
    found->algo = algo;
    found->status = CUDNN_STATUS_SUCCESS;
    return *count = 1, CUDNN_STATUS_SUCCESS;
}

// alpha 1 and beta 0 are all that is asked for; the workspace must be what was said.
const size_t SPACE = 512;
cudnnStatus_t plain(const void* alpha, const void* beta, void* space, size_t bytes, cudnnDataType_t type) {
    bool scaled = type == CUDNN_DATA_DOUBLE ? *(double*)alpha != 1.0 || *(double*)beta != 0.0 : *(float*)alpha != 1.0f || *(float*)beta != 0.0f;
    if (scaled || bytes != SPACE || !space) return CUDNN_STATUS_BAD_PARAM;
    reach(libraries);
    memset(space, 1, bytes);
    return CUDNN_STATUS_SUCCESS;
}

double at(const void* data, int i, cudnnDataType_t type) {
    return type == CUDNN_DATA_DOUBLE ? ((double*)data)[i] : type == CUDNN_DATA_BFLOAT16 ? (double)((bfloat*)data)[i] : ((float*)data)[i];
}

void put(void* data, const std::vector<double>& sums, cudnnDataType_t type) {
    for (size_t i = 0; i < sums.size(); i++) {
        if (type == CUDNN_DATA_DOUBLE) ((double*)data)[i] = sums[i];
        else if (type == CUDNN_DATA_BFLOAT16) ((bfloat*)data)[i] = bfloat::of(sums[i]);
        else ((float*)data)[i] = (float)sums[i];
    }
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnFilterDescriptor_t,
                                                     const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t, const int, int* n,
                                                     cudnnConvolutionFwdAlgoPerf_t* found) {
    return offer(n, found, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM);
}
cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnFilterDescriptor_t,
                                                      const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
                                                      cudnnConvolutionFwdAlgo_t, size_t* bytes) {
    return *bytes = SPACE, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x,
                                      const cudnnFilterDescriptor_t wd, const void* w, const cudnnConvolutionDescriptor_t v,
                                      cudnnConvolutionFwdAlgo_t, void* space, size_t bytes, const void* beta, const cudnnTensorDescriptor_t yd,
                                      void* y) {
    if (auto bad = plain(alpha, beta, space, bytes, wd->type)) return bad;
    std::vector<double> sums((size_t)yd->n * yd->c * yd->h * yd->w);
    auto status = each(xd, wd, v, yd, [&](int i, int k, int o) { sums[o] += at(x, i, wd->type) * at(w, k, wd->type); });
    put(y, sums, wd->type);
    return status;
}
// The algorithms that are offered are those that a caller must not take, since they add in any order.
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t, const cudnnFilterDescriptor_t, const cudnnTensorDescriptor_t,
                                                          const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t, const int, int* n,
                                                          cudnnConvolutionBwdDataAlgoPerf_t* found) {
    return offer(n, found, CUDNN_CONVOLUTION_BWD_DATA_ALGO_0);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t, const cudnnFilterDescriptor_t, const cudnnTensorDescriptor_t,
                                                           const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
                                                           cudnnConvolutionBwdDataAlgo_t, size_t* bytes) {
    return *bytes = SPACE, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t, const void* alpha, const cudnnFilterDescriptor_t wd, const void* w,
                                           const cudnnTensorDescriptor_t yd, const void* dy, const cudnnConvolutionDescriptor_t v,
                                           cudnnConvolutionBwdDataAlgo_t algo, void* space, size_t bytes, const void* beta,
                                           const cudnnTensorDescriptor_t xd, void* dx) {
    if (auto bad = plain(alpha, beta, space, bytes, wd->type)) return bad;
    if (algo == CUDNN_CONVOLUTION_BWD_DATA_ALGO_0) return CUDNN_STATUS_NOT_SUPPORTED;
    std::vector<double> sums((size_t)xd->n * xd->c * xd->h * xd->w);
    auto status = each(xd, wd, v, yd, [&](int i, int k, int o) { sums[i] += at(dy, o, wd->type) * at(w, k, wd->type); });
    put(dx, sums, wd->type);
    return status;
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
                                                            const cudnnConvolutionDescriptor_t, const cudnnFilterDescriptor_t, const int, int* n,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t* found) {
    return offer(n, found, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
                                                             const cudnnConvolutionDescriptor_t, const cudnnFilterDescriptor_t,
                                                             cudnnConvolutionBwdFilterAlgo_t, size_t* bytes) {
    return *bytes = SPACE, CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x,
                                             const cudnnTensorDescriptor_t yd, const void* dy, const cudnnConvolutionDescriptor_t v,
                                             cudnnConvolutionBwdFilterAlgo_t algo, void* space, size_t bytes, const void* beta,
                                             const cudnnFilterDescriptor_t wd, void* dw) {
    if (auto bad = plain(alpha, beta, space, bytes, wd->type)) return bad;
    if (algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0 || algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3) return CUDNN_STATUS_NOT_SUPPORTED;
    std::vector<double> sums((size_t)wd->to * wd->c * wd->h * wd->w);
    auto status = each(xd, wd, v, yd, [&](int i, int k, int o) { sums[k] += at(dy, o, wd->type) * at(x, i, wd->type); });
    put(dw, sums, wd->type);
    return status;
}

}  // extern "C"
