// Where a tap samples. The including shader declares Push p, buffers offset[] and mask[], and the constant MASK.
#ifndef FOVEA_DEFORM_GLSL
#define FOVEA_DEFORM_GLSL

struct Sample {
  bool inside;  // above -1 and below the extent on both axes; NaN is not
  int y, x;     // the cell's upper left texel, from -1 on
  float ly, lx; // the way to the next one
  float mask;
};

// Tap t of window l, of group `group` = image·G + g.
Sample sample_of(uint group, uint t, uint l) {
  uint taps = p.KH * p.KW, pixels = p.HO * p.WO, at = (group * taps + t) * pixels + l;
  float y = float(int(l / p.WO * p.stride_y + t / p.KW * p.dilation_y) - int(p.top));
  float x = float(int(l % p.WO * p.stride_x + t % p.KW * p.dilation_x) - int(p.left));
  uint pair = 2 * (group * taps + t) * pixels + l;
  y += offset[pair];
  x += offset[pair + pixels];
  Sample s;
  s.inside = y > -1.0 && x > -1.0 && y < float(p.H) && x < float(p.W);
  float y0 = s.inside ? floor(y) : 0.0, x0 = s.inside ? floor(x) : 0.0;
  s.y = int(y0), s.x = int(x0);
  s.ly = s.inside ? y - y0 : 0.0, s.lx = s.inside ? x - x0 : 0.0;
  s.mask = MASK != 0 ? mask[at] : 1.0;
  return s;
}

#endif
