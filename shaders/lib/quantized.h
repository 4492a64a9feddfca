// Values of QUANTIZED, as of fovea::Quantized.
#ifndef FOVEA_QUANTIZED_H
#define FOVEA_QUANTIZED_H

#define QUANTIZED_NONE 0
#define QUANTIZED_INT8 1
#define QUANTIZED_INT4 2

#endif
