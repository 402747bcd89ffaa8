// CUDA C of the ops and optimisers that run on a GPU, compiled at run time by NVRTC; no header is included. Sums are added in an
// order that follows from sizes alone, and nothing is added by atomics: one seed gives one run.
//
// Sizes are ints: a tensor of 2^31 numbers or more is refused before a launch. Images are [n, c, p], p pixels to a plane; [n, c] is
// the same with p = 1. Every block has THREADS threads.

#define THREADS 256

extern "C" {

// The sum over the block, to all of its threads.
__device__ float block_sum(float v, float* shared) {
    shared[threadIdx.x] = v;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    float sum = shared[0];
    __syncthreads();
    return sum;
}

__device__ int flat_index() { return blockIdx.x * THREADS + threadIdx.x; }

// Places of one channel's numbers, of which a thread sees every THREADS-th from `from` on, without a division in the loop.
struct Walk {
    int at, step_at, pixel, step_pixel, p, jump;
};

__device__ Walk walk(int from, int channel, int c, int p) {
    int i = from + threadIdx.x, jump = (c - 1) * p;
    Walk w = {(i / p) * c * p + channel * p + i % p, THREADS + (THREADS / p) * jump, i % p, THREADS % p, p, jump};
    return w;
}

__device__ void advance(Walk* w) {
    w->at += w->step_at;
    w->pixel += w->step_pixel;
    if (w->pixel >= w->p) {
        w->pixel -= w->p;
        w->at += w->jump;
    }
}

// Which of a channel's m numbers belong to one of `splits` parts.
__device__ int part_start(int m, int part, int splits) { return (int)((long long)m * part / splits); }

// ---- every element by itself

__global__ void relu(float* y, const float* x, int n) {
    int i = flat_index();
    if (i < n) y[i] = x[i] <= 0.0f ? 0.0f : x[i];
}

__global__ void relu_back(float* dx, const float* y, const float* dy, int n) {
    int i = flat_index();
    if (i < n) dx[i] = y[i] <= 0.0f ? 0.0f : dy[i];
}

// Adds a bias per channel in place, then ReLU if asked.
__global__ void bias_act(float* y, const float* bias, int n, int c, int p, int relu) {
    int i = flat_index();
    if (i >= n) return;
    float v = y[i] + bias[(i / p) % c];
    y[i] = relu && v <= 0.0f ? 0.0f : v;
}

// ---- matrices side by side: siblings

// One of them, [rows, width], whose columns begin at `first`.
struct Part {
    float* data;
    const float* beside;
    long long first, width;
};

__device__ Part part_at(const Part* parts, int count, int column) {
    int i = 0;
    while (i + 1 < count && parts[i + 1].first <= column) i++;
    return parts[i];
}

// All of them as one, [rows, width]; 0 where a number of `beside`, if it is there, is not above 0.
__global__ void gather(float* all, const Part* parts, int count, int rows, int width) {
    int i = flat_index();
    if (i >= rows * width) return;
    Part p = part_at(parts, count, i % width);
    long long at = (i / width) * p.width + i % width - p.first;
    all[i] = p.beside != 0 && p.beside[at] <= 0.0f ? 0.0f : p.data[at];
}

// And back; `beside`, if it is there, is added to every row, then ReLU if asked.
__global__ void scatter(const float* all, const Part* parts, int count, int rows, int width, int relu) {
    int i = flat_index();
    if (i >= rows * width) return;
    Part p = part_at(parts, count, i % width);
    long long column = i % width - p.first;
    float v = all[i] + (p.beside != 0 ? p.beside[column] : 0.0f);
    p.data[(i / width) * p.width + column] = relu && v <= 0.0f ? 0.0f : v;
}

// ---- bf16: the upper half of an f32

__global__ void narrow(unsigned short* y, const float* x, int n) {
    int i = flat_index();
    if (i >= n) return;
    unsigned bits = __float_as_uint(x[i]);
    // To the nearest, ties to even; a NaN stays one.
    y[i] = isnan(x[i]) ? (bits >> 16) | 64u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

__global__ void widen(float* y, const unsigned short* x, int n) {
    int i = flat_index();
    if (i < n) y[i] = __uint_as_float((unsigned)x[i] << 16);
}

// ---- sums by channel; grid (c, splits), for y ends at 65,535; partial [splits, c]

__global__ void channel_sums(float* partial, const float* x, int n, int c, int p) {
    __shared__ float shared[THREADS];
    int m = n * p, channel = blockIdx.x;
    int from = part_start(m, blockIdx.y, gridDim.y), to = part_start(m, blockIdx.y + 1, gridDim.y);
    float sum = 0.0f;
    Walk w = walk(from, channel, c, p);
    for (int i = from + threadIdx.x; i < to; i += THREADS, advance(&w)) sum += x[w.at];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) partial[blockIdx.y * c + channel] = sum;
}

// The same of [rows, c], where neighbours are channels; grid (blocks of THREADS channels, splits).
__global__ void column_sums(float* partial, const float* x, int rows, int c) {
    int channel = blockIdx.x * THREADS + threadIdx.x;
    if (channel >= c) return;
    int from = part_start(rows, blockIdx.y, gridDim.y), to = part_start(rows, blockIdx.y + 1, gridDim.y);
    float sum = 0.0f;
    for (int i = from; i < to; i++) sum += x[i * c + channel];
    partial[blockIdx.y * c + channel] = sum;
}

__global__ void add_partials(float* out, const float* partial, int splits, int c) {
    int i = flat_index();
    if (i >= c) return;
    float sum = 0.0f;
    for (int s = 0; s < splits; s++) sum += partial[s * c + i];
    out[i] = sum;
}

// ---- batch norm

// Mean and sum of squared deviations of each part: partial [2, splits, c]; grid (c, splits).
__global__ void norm_stats(float* partial, const float* x, int n, int c, int p) {
    __shared__ float shared[THREADS];
    int m = n * p, channel = blockIdx.x, splits = gridDim.y;
    int from = part_start(m, blockIdx.y, splits), to = part_start(m, blockIdx.y + 1, splits);
    float sum = 0.0f;
    Walk w = walk(from, channel, c, p);
    for (int i = from + threadIdx.x; i < to; i += THREADS, advance(&w)) sum += x[w.at];
    float mean = block_sum(sum, shared) / (float)(to - from);
    float square = 0.0f;
    w = walk(from, channel, c, p);
    for (int i = from + threadIdx.x; i < to; i += THREADS, advance(&w)) {
        float d = x[w.at] - mean;
        square += d * d;
    }
    square = block_sum(square, shared);
    if (threadIdx.x == 0) {
        partial[blockIdx.y * c + channel] = mean;
        partial[(splits + blockIdx.y) * c + channel] = square;
    }
}

// Parts as one (Chan, Golub and LeVeque 1979), and the running statistics after this batch: out [4, c] is mean, biased variance,
// next running mean, next running variance. The running variance takes the unbiased one; of a single number it takes 0.
__global__ void norm_merge(float* out, const float* partial, const float* running_mean, const float* running_var, int m, int splits,
                           int c, float momentum) {
    int i = flat_index();
    if (i >= c) return;
    float count = 0.0f, mean = 0.0f, square = 0.0f;
    for (int s = 0; s < splits; s++) {
        float k = (float)(part_start(m, s + 1, splits) - part_start(m, s, splits));
        float d = partial[s * c + i] - mean, all = count + k;
        mean += d * (k / all);
        square += partial[(splits + s) * c + i] + d * d * (count * (k / all));
        count = all;
    }
    float unbiased = square / (float)(m > 1 ? m - 1 : 1);
    out[i] = mean;
    out[c + i] = square / (float)m;
    out[2 * c + i] = running_mean[i] * (1.0f - momentum) + mean * momentum;
    out[3 * c + i] = running_var[i] * (1.0f - momentum) + unbiased * momentum;
}

// One output before ReLU. The way back computes it again to see which side of the kink it was on: the same instructions here and
// there, so the same side.
__device__ float normal(float x, float mean, float slope, float bias) { return fmaf(x - mean, slope, bias); }

__device__ float inverse(float var, float eps) { return 1.0f / sqrtf(var + eps); }

__global__ void norm_apply(float* y, const float* x, const float* mean, const float* var, const float* weight, const float* bias, int n,
                     int c, int p, float eps, int relu) {
    int i = flat_index();
    if (i >= n) return;
    int k = (i / p) % c;
    float v = normal(x[i], mean[k], weight[k] * inverse(var[k], eps), bias[k]);
    y[i] = relu && v <= 0.0f ? 0.0f : v;
}

// Sums of dz and of dz times the normalised x, dz the gradient before ReLU: partial [splits, 2, c]; grid (c, splits).
__global__ void norm_back_sums(float* partial, const float* x, const float* dy, const float* mean, const float* var,
                               const float* weight, const float* bias, int n, int c, int p, float eps, int relu) {
    __shared__ float shared[THREADS];
    int m = n * p, k = blockIdx.x;
    int from = part_start(m, blockIdx.y, gridDim.y), to = part_start(m, blockIdx.y + 1, gridDim.y);
    float inv = inverse(var[k], eps), slope = weight[k] * inv, sum = 0.0f, product = 0.0f;
    Walk w = walk(from, k, c, p);
    for (int i = from + threadIdx.x; i < to; i += THREADS, advance(&w)) {
        float d = dy[w.at];
        if (relu && normal(x[w.at], mean[k], slope, bias[k]) <= 0.0f) d = 0.0f;
        sum += d;
        product += d * ((x[w.at] - mean[k]) * inv);
    }
    sum = block_sum(sum, shared);
    product = block_sum(product, shared);
    if (threadIdx.x == 0) {
        partial[(blockIdx.y * 2) * c + k] = sum;
        partial[(blockIdx.y * 2 + 1) * c + k] = product;
    }
}

// sums [2, c] as above; `given` says that mean and variance are not the batch's, and so have no gradient.
__global__ void norm_back(float* dx, const float* x, const float* dy, const float* mean, const float* var, const float* weight,
                          const float* bias, const float* sums, int n, int c, int p, float eps, int relu, int given) {
    int i = flat_index();
    if (i >= n) return;
    int k = (i / p) % c;
    float inv = inverse(var[k], eps), slope = weight[k] * inv, d = dy[i];
    if (relu && normal(x[i], mean[k], slope, bias[k]) <= 0.0f) d = 0.0f;
    if (!given) {
        float m = (float)(n / c);
        d = d - sums[k] / m - (x[i] - mean[k]) * inv * (sums[c + k] / m);
    }
    dx[i] = d * slope;
}

// ---- pools; a window is kernel, stride and padding in both directions

__device__ int ceil_div(int a, int b) { return (a + b - 1) / b; }

// `at` is where in its plane each maximum was; of equal ones the first, and a NaN stays.
__global__ void max_pool(float* y, int* at, const float* x, int n, int h, int w, int oh, int ow, int k, int stride, int pad) {
    int i = flat_index();
    if (i >= n) return;
    int ox = i % ow, oy = (i / ow) % oh, plane = i / (ow * oh);
    const float* from = x + plane * h * w;
    int y0 = oy * stride - pad, x0 = ox * stride - pad;
    int y1 = min(y0 + k, h), x1 = min(x0 + k, w);
    y0 = max(y0, 0);
    x0 = max(x0, 0);
    int place = y0 * w + x0;
    float best = from[place];
    for (int iy = y0; iy < y1; iy++) {
        for (int ix = x0; ix < x1; ix++) {
            float v = from[iy * w + ix];
            if (v > best || v != v) {
                best = v;
                place = iy * w + ix;
            }
        }
    }
    y[i] = best;
    at[i] = place;
}

// A pixel collects from the windows that it won.
__global__ void max_pool_back(float* dx, const int* at, const float* dy, int n, int h, int w, int oh, int ow, int k, int stride,
                              int pad) {
    int i = flat_index();
    if (i >= n) return;
    int ix = i % w, iy = (i / w) % h, plane = i / (w * h);
    int y0 = max(ceil_div(max(iy + pad - k + 1, 0), stride), 0), y1 = min((iy + pad) / stride, oh - 1);
    int x0 = max(ceil_div(max(ix + pad - k + 1, 0), stride), 0), x1 = min((ix + pad) / stride, ow - 1);
    float sum = 0.0f;
    for (int oy = y0; oy <= y1; oy++) {
        for (int ox = x0; ox <= x1; ox++) {
            int o = (plane * oh + oy) * ow + ox;
            if (at[o] == iy * w + ix) sum += dy[o];
        }
    }
    dx[i] = sum;
}

// Numbers of a window that lie on the image, along one direction.
__device__ int covered(int o, int size, int k, int stride, int pad) {
    int from = o * stride - pad;
    return min(from + k, size) - max(from, 0);
}

__global__ void avg_pool(float* y, const float* x, int n, int h, int w, int oh, int ow, int k, int stride, int pad, int whole) {
    int i = flat_index();
    if (i >= n) return;
    int ox = i % ow, oy = (i / ow) % oh, plane = i / (ow * oh);
    int y0 = oy * stride - pad, x0 = ox * stride - pad;
    float sum = 0.0f;
    for (int iy = max(y0, 0); iy < min(y0 + k, h); iy++) {
        for (int ix = max(x0, 0); ix < min(x0 + k, w); ix++) sum += x[(plane * h + iy) * w + ix];
    }
    int count = whole ? k * k : covered(oy, h, k, stride, pad) * covered(ox, w, k, stride, pad);
    y[i] = sum / (float)count;
}

__global__ void avg_pool_back(float* dx, const float* dy, int n, int h, int w, int oh, int ow, int k, int stride, int pad,
                              int whole) {
    int i = flat_index();
    if (i >= n) return;
    int ix = i % w, iy = (i / w) % h, plane = i / (w * h);
    int y0 = ceil_div(max(iy + pad - k + 1, 0), stride), y1 = min((iy + pad) / stride, oh - 1);
    int x0 = ceil_div(max(ix + pad - k + 1, 0), stride), x1 = min((ix + pad) / stride, ow - 1);
    float sum = 0.0f;
    for (int oy = y0; oy <= y1; oy++) {
        for (int ox = x0; ox <= x1; ox++) {
            int count = whole ? k * k : covered(oy, h, k, stride, pad) * covered(ox, w, k, stride, pad);
            sum += dy[(plane * oh + oy) * ow + ox] / (float)count;
        }
    }
    dx[i] = sum;
}

// The mean of each plane; a block to a plane.
__global__ void plane_means(float* y, const float* x, int p) {
    __shared__ float shared[THREADS];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < p; i += THREADS) sum += x[blockIdx.x * p + i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) y[blockIdx.x] = sum / (float)p;
}

__global__ void plane_means_back(float* dx, const float* dy, int n, int p) {
    int i = flat_index();
    if (i < n) dx[i] = dy[i / p] / (float)p;
}

// ---- optimisers: all weights in one launch

// One weight's numbers. Addresses that are 0: no gradient (as if zero), no such slot.
struct Item {
    float* weight;
    const float* grad;
    float* first;
    float* second;
    long long count;
    // The first block that works on it; a block takes CHUNK numbers.
    long long block;
};

#define CHUNK 2048

// Whose numbers this block takes: the last item that begins at or before it.
__device__ int item_of_block(const Item* items, int count) {
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (items[middle].block <= blockIdx.x) low = middle;
        else high = middle - 1;
    }
    return low;
}

// factors [items, 6]: lr, decay, keep, take, now, held as sgd.rs has them; `scale` is a factor on gradients, or 0 for none.
__global__ void sgd(const Item* items, const float* factors, int count, const float* scale) {
    int which = item_of_block(items, count);
    Item t = items[which];
    const float* f = factors + which * 6;
    float s = scale ? *scale : 1.0f;
    long long from = (blockIdx.x - t.block) * CHUNK, to = min(from + (long long)CHUNK, t.count);
    for (long long i = from + threadIdx.x; i < to; i += THREADS) {
        float w = t.weight[i], g = (t.grad ? t.grad[i] : 0.0f) * s + f[1] * w;
        if (t.first) {
            float m = f[2] * t.first[i] + f[3] * g;
            t.first[i] = m;
            g = f[4] * g + f[5] * m;
        }
        t.weight[i] = w - f[0] * g;
    }
}

// factors [items, 9]: rate, root, shrink, l2, b1, b2, 1 - b1, 1 - b2, eps as adam.rs has them.
__global__ void adam(const Item* items, const float* factors, int count, const float* scale) {
    int which = item_of_block(items, count);
    Item t = items[which];
    const float* f = factors + which * 9;
    float s = scale ? *scale : 1.0f;
    long long from = (blockIdx.x - t.block) * CHUNK, to = min(from + (long long)CHUNK, t.count);
    for (long long i = from + threadIdx.x; i < to; i += THREADS) {
        float w = t.weight[i], g = (t.grad ? t.grad[i] : 0.0f) * s + f[3] * w;
        float m = f[4] * t.first[i] + f[6] * g, v = f[5] * t.second[i] + f[7] * g * g;
        t.first[i] = m;
        t.second[i] = v;
        t.weight[i] = f[2] * w - f[0] * m / (sqrtf(v) / f[1] + f[8]);
    }
}

// Sums of squares of the gradients, one per block.
__global__ void square_sums(float* partial, const Item* items, int count) {
    __shared__ float shared[THREADS];
    Item t = items[item_of_block(items, count)];
    long long from = (blockIdx.x - t.block) * CHUNK, to = min(from + (long long)CHUNK, t.count);
    float sum = 0.0f;
    for (long long i = from + threadIdx.x; i < to; i += THREADS) sum += t.grad[i] * t.grad[i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// min(1, max / (norm + 1e-6)) of `count` partial sums; one block.
__global__ void clip_scale(float* scale, const float* partial, int count, float most) {
    __shared__ float shared[THREADS];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < count; i += THREADS) sum += partial[i];
    sum = block_sum(sum, shared);
    float factor = most / (sqrtf(sum) + 1e-6f);
    // Not `min`: a NaN must stay one.
    if (threadIdx.x == 0) *scale = factor >= 1.0f ? 1.0f : factor;
}

}
