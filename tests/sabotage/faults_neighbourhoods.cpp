// Attention's windows of a grid: the window, the walk, the order of rows, the bias.

#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr const char* in_grids = "ops/attention_neighbourhood.cpp: neighbourhoods: two heads of a group in a larger grid of keys, with a bias each";
constexpr const char* at_edges = "ops/attention_neighbourhood.cpp: neighbourhoods: a bias of the window, one for all heads, one each, and where edges are shifted";

constexpr Fault neighbourhoods[] = {
    {"a window is one key wider", "attention_row", "end = begin + 2 * r + 1;", "end = begin + 2 * r + 2;", in_grids, "", "lib/neighbourhood.glsl"},
    {"a shifted window stops one key early", "attention_row", "ivec2(grid_of_keys()) - 2 * r - 1;", "ivec2(grid_of_keys()) - 2 * r - 2;", in_grids, "", "lib/neighbourhood.glsl"},
    {"the grids are not apart", "attention_row", "begin = n + offset_of_grids() - r;", "begin = n - r;", in_grids, "", "lib/neighbourhood.glsl"},
    {"the last line of a workgroup's windows is not walked", "attention_row", "window_of(end - 1).end);", "window_of(end - 1).end - uvec2(1, 0));", in_grids, "", "lib/neighbourhood.glsl"},
    {"a workgroup walks the window of its first row", "attention_row", "window_of(end - 1).end);", "window_of(begin).end);", in_grids, "", "lib/neighbourhood.glsl"},
    {"rows are not where their tiles are", "attention_row", "  if (!NEIGHBOURS) return n;", "  return n;", in_grids, "", "lib/neighbourhood.glsl"},
    {"a line below the window is in it", "attention_row", "step.line < row.window.end.x;", "step.line <= row.window.end.x;", in_grids, "", "lib/attention_rows.glsl"},
    {"a bias is the next one's", "attention_row", "grid_of_bias() / 2 - place_of_query", "grid_of_bias() / 2 + 1 - place_of_query", in_grids, "", "lib/attention_rows.glsl"},
    {"a bias is that of the line before", "attention_row", "row.bias_line = step.line * ", "row.bias_line = (step.line - 1) * ", in_grids, "", "lib/attention_rows.glsl"},
    {"backward: the last query that sees a key is passed over", "attention_backward", "end = n - offset_of_grids() + r + 1;", "end = n - offset_of_grids() + r;", in_grids, "", "lib/neighbourhood.glsl"},
    {"backward: at a shifted edge the first queries are passed over", "attention_backward", "lessThanEqual(n, 2 * r)", "lessThan(n, 2 * r)", at_edges, "", "lib/neighbourhood.glsl"},
    {"backward: of a group the first head alone is walked", "attention_backward", "walk.head_line += grid.x;", "walk.head_line += 0;", in_grids, "", "lib/attention_rows.glsl"},
    {"backward: what a key's window leaves out has a gradient", "attention_backward", "is_neighbour(own_at[r], at + j)", "true", in_grids},
    {"backward: a bias takes the gradient of the next one", "attention_backward_mask", "- table / 2;", "- table / 2 + 1;", in_grids},
};

const std::span<const Fault> neighbourhoods_faults = neighbourhoods;

}  // namespace fovea::sabotage
