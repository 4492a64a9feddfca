// The four texels of a cell. The including shader declares Push p and buffer x[].
#ifndef FOVEA_DEFORM_TEXELS_GLSL
#define FOVEA_DEFORM_TEXELS_GLSL
#include "deform.glsl"

struct Cell {
  uint at[4];      // within a plane; 0 where outside
  bool inside[4];  // upper left, upper right, lower left, lower right
};

Cell cell_of(Sample s) {
  Cell cell;
  for (uint k = 0; k < 4; ++k) {
    int y = s.y + int(k / 2), x = s.x + int(k % 2);
    cell.inside[k] = s.inside && y >= 0 && x >= 0 && y < int(p.H) && x < int(p.W);
    cell.at[k] = cell.inside[k] ? uint(y) * p.W + uint(x) : 0;
  }
  return cell;
}

vec4 texels(Cell cell, uint plane) {
  vec4 v = vec4(x[plane + cell.at[0]], x[plane + cell.at[1]], x[plane + cell.at[2]], x[plane + cell.at[3]]);
  return mix(vec4(0.0), v, bvec4(cell.inside[0], cell.inside[1], cell.inside[2], cell.inside[3]));
}

#endif
