#pragma once
// What a dispatch is a launch of. A compile::Dispatch or a DispatchReport: its label begins with the operator.

#include <string>

namespace fovea::test {

template <class Dispatch>
std::string operator_of(const Dispatch& dispatch) {
  return dispatch.label.substr(0, dispatch.label.find(' '));
}
// "operator=kernel", as a caller forces it.
template <class Dispatch>
std::string kernel_of(const Dispatch& dispatch) {
  return operator_of(dispatch) + '=' + dispatch.kernel;
}

}  // namespace fovea::test
