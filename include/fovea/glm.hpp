#pragma once
// Optional: transforms made with GLM, as the theta that affine_grid takes. The one header of Fovea that needs GLM's.
//
// GLM's matrices are stored by columns, theta by rows. Like GLM's own transforms, a matrix maps column vectors:
// theta · (x, y, 1) = transform · (x, y, 1), so `translate(scale(m, s), t)` reads here as it does there.

#include <glm/mat3x3.hpp>
#include <glm/mat4x4.hpp>

#include <array>

namespace fovea {

// The first two rows of a 2-D transform of (x, y, 1), row by row: the data of one [2,3] theta.
// Precondition: the last row is (0, 0, 1), as rotations, scales, shears and translations leave it; affine_grid divides
// by nothing, so that a projective row has no meaning there.
inline std::array<float, 6> affine_theta(const glm::mat3& transform) {
  const glm::mat3& t = transform;  // t[column][row]
  return {t[0][0], t[1][0], t[2][0],   // x
          t[0][1], t[1][1], t[2][1]};  // y
}

// The first three rows of a 3-D transform of (x, y, z, 1), row by row: the data of one [3,4] theta.
// Precondition: the last row is (0, 0, 0, 1).
inline std::array<float, 12> affine_theta(const glm::mat4& transform) {
  const glm::mat4& t = transform;
  return {t[0][0], t[1][0], t[2][0], t[3][0],   // x
          t[0][1], t[1][1], t[2][1], t[3][1],   // y
          t[0][2], t[1][2], t[2][2], t[3][2]};  // z
}

}  // namespace fovea
