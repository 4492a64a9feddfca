#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr const char* taps = "lib/grid_taps.glsl";

constexpr Fault sampling[] = {
    {"x and y are exchanged", "grid_sample", "AxisTaps across = axis_taps(LOAD_GRID(g), ", "AxisTaps across = axis_taps(LOAD_GRID(g + 1), ", "op_grid_sample/bilin_zeros_ac0"},
    {"corners are aligned though they should not be", "grid_sample", "((c + 1.0) * size - 1.0) * 0.5;", "(c + 1.0) * 0.5 * (size - 1.0);", "op_grid_sample/bilin_zeros_ac0", "", taps},
    {"the texel past the edge repeats the edge", "grid_sample", "texel <= extent - 1.0 ?", "texel <= extent ?", "op_grid_sample/bilin_zeros_ac0", "", taps},
    {"a texel's box is one smaller, in the gradient", "grid_bounds", "+ 1] = high[axis];", "+ 1] = max(high[axis], 1u) - 1u;", "op_grid_sample/bilin_zeros_ac0"},
    {"the slope of the left tap has the other sign", "grid_to_points", "slope[0] = -along;", "slope[0] = along;", "op_grid_sample/bilin_zeros_ac0", "", taps},
    {"aligned corners are half a texel off", "grid_sample", "(c + 1.0) * 0.5 * (size - 1.0) :", "(c + 1.0) * 0.5 * size - 0.5 :", "op_grid_sample/bilin_zeros_ac1", "", taps},
    {"border clamps one texel too late", "grid_sample", "clamp(at, 0.0, size - 1.0);\n}", "clamp(at, 0.0, size);\n}", "op_grid_sample/bilin_borde_ac0", "", taps},
    {"border: clipped coordinates have a slope", "grid_to_points", "    if (PADDING != SAMPLE_ZEROS && !(at > 0.0 && at < extent - 1.0)) along = 0.0;\n", "", "op_grid_sample/bilin_borde_ac0", "", taps},
    {"reflection does not turn", "grid_sample", "!= 0.0 ? span - rest : rest) + low;", "!= 0.0 ? rest : rest) + low;", "op_grid_sample/bilin_refle_ac1", "", taps},
    {"nearest rounds down", "grid_sample", "? roundEven(at) : floor(at)", "? floor(at) : floor(at)", "op_grid_sample/neare_zeros_ac0", "", taps},
    {"the cubic of a = -1/2", "grid_sample", "(1.25 * d - 2.25) * d * d", "(1.5 * d - 2.5) * d * d", "op_grid_sample/bicub_zeros_ac0", "", taps},
    {"three dimensions: a slice has the stride of another", "grid_sample", "p.size[2], p.size[0] * p.size[1]);", "p.size[2], p.size[0] * p.size[2]);", "op_grid_sample/3d"},
    {"affine grid: centres are half a texel off", "affine_grid", "float(int(2 * k + 1) - int(size))", "float(int(2 * k) - int(size))", "op_affine_grid/2d_ac0"},
    {"affine grid: aligned corners are ignored", "affine_grid", "ALIGN_CORNERS != 0 ? max(size, 2u) - 1u : size", "size", "op_affine_grid/2d_ac1"},
    {"resize: the last tap of a row is left out", "separable", "end_x = first_tap(2, ox + 1);", "end_x = first_tap(2, ox + 1) - 1;", "op_interpolate/bil_up"},
    {"resize: a row has the stride of a column", "separable", "(at_z + column_of(1, v)) * p.size[2]", "(at_z + column_of(1, v)) * p.size[1]", "op_interpolate/bil_up"},
    {"resize: a tap has the weight of the next", "separable", "return uintBitsToFloat(table[p.taps[axis] + 2 * tap + 1]);", "return uintBitsToFloat(table[p.taps[axis] + 2 * (tap ^ 1u) + 1]);", "op_interpolate/bil_up"},
    {"roi_align: not aligned by half a texel", "roi_align", "ALIGNED != 0 ? 0.5 : 0.0;", "0.0;", "op_roi/align", "", "lib/roi.glsl"},
    {"roi_align: samples lie at the edges of their cells", "roi_align", "(float(i) + 0.5) * along.step_", "float(i) * along.step_", "op_roi/align", "", "lib/roi.glsl"},
    {"roi_align: the gradient of the last region alone", "roi_to_texels", "sum += of_roi;", "sum = of_roi;", "op_roi/align"},
    {"roi_align: adaptive counts of samples are rounded down", "roi_align", "clamp(ceil(along.bin),", "clamp(floor(along.bin),", "op_roi/align_auto", "", "lib/roi.glsl"},
};

const std::span<const Fault> sampling_faults = sampling;

}  // namespace fovea::sabotage
