# PyTorch on the CPU as a peer (README.md). Takes the folder as its argument.
import math
import os
import sys
import time

import torch

F = torch.nn.functional
folder = sys.argv[1]


def mapped(name, shape, shared=False):
    path = os.path.join(folder, str(name))
    return torch.from_file(path, shared=shared, size=math.prod(shape), dtype=torch.float32).reshape(shape)


def read(index, *shape):
    return mapped(index, shape).clone()


def attention(b, h, lq, lk, d, mask):
    q, k, v = read(0, b, h, lq, d), read(1, b, h, lk, d), read(2, b, h, lk, d)
    return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=mask == "causal")


def softmax(rows, columns):
    x = read(0, rows, columns)
    return lambda: torch.softmax(x, -1)


def max_pool(n, c, h, w, kernel, stride, padding):
    x = read(0, n, c, h, w)
    return lambda: F.max_pool2d(x, kernel, stride, padding)


def grid_sample(n, c, h, w):
    x, grid = read(0, n, c, h, w), read(1, n, h, w, 2)
    return lambda: F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def linear(m, n, k):
    x, weight = read(0, m, k), read(1, n, k)
    return lambda: F.linear(x, weight)


def conv2d(n, c, h, w, o, kernel, padding):
    x, weight = read(0, n, c, h, w), read(1, o, c, kernel, kernel)
    return lambda: F.conv2d(x, weight, padding=padding)


WORKS = {f.__name__: f for f in (attention, softmax, max_pool, grid_sample, linear, conv2d)}


def prepare(name, *extents):
    if name not in WORKS:
        return None, f"absent no work of this peer: {name}"
    try:
        work = WORKS[name](*(int(e) if e.lstrip("-").isdigit() else e for e in extents))
        y = work()
        mapped("y", y.shape, shared=True).copy_(y)
        return work, "ok"
    except (RuntimeError, TypeError) as error:
        return None, "absent " + " ".join(str(error).split())


def main():
    torch.set_grad_enabled(False)
    blas = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(f"ready PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, "
          f"{torch.get_num_threads()} threads, of BLAS {blas}", flush=True)
    work = None
    for line in sys.stdin:
        verb, *words = line.split() or [""]
        if verb == "prepare":
            work, answer = prepare(*words)
        elif verb == "run" and work:
            processor, wall = time.process_time(), time.perf_counter()
            work()
            answer = f"ok {time.perf_counter() - wall:.9f} {time.process_time() - processor:.9f}"
        else:
            work, answer = None, "ok" if verb == "drop" else f"absent {line.strip()}: nothing is prepared"
        print(answer, flush=True)


main()
