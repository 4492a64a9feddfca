// What both pooling kernels call a maximum, an average and an Lp norm.
#ifndef FOVEA_POOL_KIND_H
#define FOVEA_POOL_KIND_H

#define POOL_MAX 0
#define POOL_AVERAGE 1
#define POOL_LP 2

#endif
