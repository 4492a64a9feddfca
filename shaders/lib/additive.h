// Activations of a sum of query and key.
#ifndef FOVEA_ADDITIVE_H
#define FOVEA_ADDITIVE_H

// Values of ACTIVATION.
#define ADDITIVE_TANH 0
#define ADDITIVE_RELU 1
#define ADDITIVE_ELU 2

#endif
