#include <fovea/glm.hpp>

#include <doctest/doctest.h>

#define GLM_ENABLE_EXPERIMENTAL  // rotate and scale of a mat3
#include <glm/gtc/matrix_transform.hpp>
#include <glm/gtx/matrix_transform_2d.hpp>

namespace fovea {

TEST_CASE("theta maps a point as the GLM matrix does, in two dimensions") {
  const glm::mat3 transform =
      glm::scale(glm::rotate(glm::translate(glm::mat3(1), {0.25f, -0.5f}), 0.3f), {2.0f, 0.75f});
  const auto theta = affine_theta(transform);
  const glm::vec3 point(0.4f, -0.7f, 1), expected = transform * point;
  for (std::size_t row = 0; row < 2; ++row)
    CHECK(theta[3 * row] * point.x + theta[3 * row + 1] * point.y + theta[3 * row + 2] ==
          doctest::Approx(expected[static_cast<int>(row)]));
  CHECK(theta[2] == 0.25f);  // translations stand at the end of a row
  CHECK(theta[5] == -0.5f);
}

TEST_CASE("theta maps a point as the GLM matrix does, in three dimensions") {
  const glm::mat4 transform = glm::scale(
      glm::rotate(glm::translate(glm::mat4(1), {0.25f, -0.5f, 0.125f}), 0.3f, {1, 2, 3}), {2.0f, 0.75f, 1.5f});
  const auto theta = affine_theta(transform);
  const glm::vec4 point(0.4f, -0.7f, 0.9f, 1), expected = transform * point;
  for (std::size_t row = 0; row < 3; ++row) {
    float sum = theta[4 * row + 3];
    for (std::size_t k = 0; k < 3; ++k) sum += theta[4 * row + k] * point[static_cast<int>(k)];
    CHECK(sum == doctest::Approx(expected[static_cast<int>(row)]));
  }
  CHECK(theta[3] == 0.25f);
  CHECK(theta[7] == -0.5f);
  CHECK(theta[11] == 0.125f);
}

}  // namespace fovea
