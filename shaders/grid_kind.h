// What the sampler and its gradients call interpolation and padding.
#ifndef FOVEA_GRID_KIND_H
#define FOVEA_GRID_KIND_H

#define SAMPLE_NEAREST 0
#define SAMPLE_LINEAR 1
#define SAMPLE_CUBIC 2
#define SAMPLE_ZEROS 0
#define SAMPLE_BORDER 1
#define SAMPLE_REFLECTION 2

#endif
