// GLSL expressions: what is parsed, and derivatives against central differences of the expression's own values.

#include "glsl/expression.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

using namespace fovea::glsl;
using Kind = Expression::Kind;

namespace {

using Names = std::map<std::string, double>;

double of_call(const std::string& f, const std::vector<double>& x) {
  if (f == "exp") return std::exp(x[0]);
  if (f == "exp2") return std::exp2(x[0]);
  if (f == "log") return std::log(x[0]);
  if (f == "log2") return std::log2(x[0]);
  if (f == "sqrt") return std::sqrt(x[0]);
  if (f == "inversesqrt") return 1 / std::sqrt(x[0]);
  if (f == "tanh") return std::tanh(x[0]);
  if (f == "sinh") return std::sinh(x[0]);
  if (f == "cosh") return std::cosh(x[0]);
  if (f == "sin") return std::sin(x[0]);
  if (f == "cos") return std::cos(x[0]);
  if (f == "tan") return std::tan(x[0]);
  if (f == "atan") return std::atan(x[0]);
  if (f == "asin") return std::asin(x[0]);
  if (f == "acos") return std::acos(x[0]);
  if (f == "abs") return std::abs(x[0]);
  if (f == "sign") return x[0] > 0 ? 1 : x[0] < 0 ? -1 : 0;
  if (f == "float") return x[0];
  if (f == "int") return std::trunc(x[0]);
  if (f == "floor") return std::floor(x[0]);
  if (f == "fract") return x[0] - std::floor(x[0]);
  if (f == "min") return std::min(x[0], x[1]);
  if (f == "max") return std::max(x[0], x[1]);
  if (f == "pow") return std::pow(x[0], x[1]);
  if (f == "mod") return x[0] - x[1] * std::floor(x[0] / x[1]);
  if (f == "clamp") return std::min(std::max(x[0], x[1]), x[2]);
  if (f == "mix") return x[0] * (1 - x[2]) + x[1] * x[2];
  if (f == "fma") return x[0] * x[1] + x[2];
  if (f == "step") return x[1] < x[0] ? 0 : 1;
  if (f == "table") return 10 * x[0];
  FAIL("no function ", f);
  return 0;
}

double value_of(const Expression& e, const Names& names) {
  std::vector<double> x;
  for (const Expression& operand : e.operands) x.push_back(value_of(operand, names));
  if (e.kind == Kind::number) return std::stod(e.text);
  if (e.kind == Kind::name) return names.at(e.text);
  if (e.kind == Kind::choice) return x[0] != 0 ? x[1] : x[2];
  if (e.kind == Kind::prefix) return e.text == "-" ? -x[0] : e.text == "!" ? x[0] == 0 : x[0];
  if (e.kind == Kind::call) return of_call(e.text, x);
  if (e.text == "+") return x[0] + x[1];
  if (e.text == "-") return x[0] - x[1];
  if (e.text == "*") return x[0] * x[1];
  if (e.text == "/") return x[0] / x[1];
  if (e.text == "%") return std::fmod(x[0], x[1]);
  if (e.text == "<") return x[0] < x[1];
  if (e.text == ">") return x[0] > x[1];
  if (e.text == "<=") return x[0] <= x[1];
  if (e.text == ">=") return x[0] >= x[1];
  if (e.text == "==") return x[0] == x[1];
  if (e.text == "!=") return x[0] != x[1];
  if (e.text == "&&") return x[0] != 0 && x[1] != 0;
  if (e.text == "||") return x[0] != 0 || x[1] != 0;
  FAIL("no operator ", e.text);
  return 0;
}

double value_of(const std::string& text, const Names& names) {
  const auto parsed = parse(text);
  REQUIRE_MESSAGE(parsed, text, ": ", parsed.error().message);
  return value_of(*parsed, names);
}

bool is_x(const Expression& e) { return e.kind == Kind::name && e.text == "x"; }

}  // namespace

TEST_CASE("expressions have GLSL's precedence, whatever the blanks and comments") {
  const auto text = [](const char* source) {
    const auto parsed = parse(source);
    return parsed ? to_text(*parsed) : "error: " + parsed.error().message;
  };
  CHECK(text("a - b - c*d/e%f") == "((a - b) - (((c * d) / e) % f))");
  CHECK(text("a<b&&c>=d||!e==f^^g") == "(((a < b) && (c >= d)) || (((!e) == f) ^^ g))");
  CHECK(text("a ? b : c ? d : e") == "(a ? b : (c ? d : e))");
  CHECK(text("a ? b ? c : d : e") == "(a ? (b ? c : d) : e)");
  CHECK(text("a|b^c&d<<1+e") == "(a | (b ^ (c & (d << (1 + e)))))");
  CHECK(text("- -a * ~b") == "error: '-' stands where an operand should");
  CHECK(text("-a * ~b") == "((-a) * (~b))");
  CHECK(text("f ( a , g() )") == "f(a, g())");
  CHECK(text("1.5e-3+.5*0x1F-2u") == "((1.5e-3 + (.5 * 0x1F)) - 2u)");
  CHECK(text("a /* + b */ + // c\n d") == "(a + d)");
  CHECK(text("") == "error: the end stands where an operand should");
  CHECK(text("a +") == "error: the end stands where an operand should");
  CHECK(text("(a") == "error: the end stands where ')' should");
  CHECK(text("a b") == "error: 'b' stands where the end should");
  CHECK(text("v.x") == "error: '.' stands where the end should");
  CHECK(text("a = 1") == "error: '=' stands where the end should");
  CHECK(text("a++") == "error: the end stands where an operand should");
  CHECK(text(std::string(5000, '(').c_str()).find("less deep") != std::string::npos);
  CHECK(text(std::string(5000, '!').c_str()).find("less deep") != std::string::npos);
}

TEST_CASE("derivatives are those of the expressions") {
  const char* texts[] = {"x", "-x + 3", "x * x * x", "1 / (1 + x * x)", "(x + a) / (x - a)", "a / x", "x / a", "x - a * x",
                         "exp(2 * x)", "exp2(x)", "log(1 + x)", "log2(x)", "sqrt(x)", "inversesqrt(x + 1)", "tanh(2 * x)", "sinh(x)", "cosh(x)",
                         "sin(x * a)", "cos(x * a)", "tan(x)", "atan(3 * x)", "asin(x / 2)", "acos(x / 2)", "abs(x - 2)", "abs(x - 0.1)",
                         "float(x) * 2", "fract(x * 7)", "min(x, a * x)", "max(x, 0.1)", "min(a, 0.5 - x)", "max(a * x, x * x)", "clamp(x * x, 0.0, 5.0)",
                         "clamp(x, 2.0, 3.0)", "clamp(x, x * 0.5, 9.0)", "mix(a, x, 0.25)", "mix(x, x * x, x)", "fma(x, a, x)", "mod(x * 5, 0.75)",
                         "mod(9.0, x)", "pow(x, 3.0)", "pow(2.0, x)", "pow(x, x)", "x > 0.5 ? x * x : a", "x > 5.0 ? x * x : a * x", "+x * +a",
                         "floor(x) * x", "step(0.5, x) * x", "sign(x) * x", "int(x * 10) * x", "(x < 1.0 ? 2 : 3) * x", "table(x) + x",
                         "tanh(tanh(sin(x) * exp(-x)))", "a * 2 - 1", "x == 3.0 ? 1.0 : 2.0"};
  for (const char* text : texts) {
    CAPTURE(text);
    const auto parsed = parse(text);
    REQUIRE(parsed);
    const auto slope = derivative(*parsed, {"table"}, is_x);
    REQUIRE(slope);
    for (const double x : {0.37, 0.91}) {
      const auto at = [&](double value) { return value_of(*parsed, {{"x", value}, {"a", 0.7}}); };
      const double h = 1e-6;
      double expected = (at(x + h) - at(x - h)) / (2 * h);
      if (std::string(text) == "table(x) + x") expected = 1;  // an index has no derivative
      CHECK((slope->empty() ? 0 : value_of(*slope, {{"x", x}, {"a", 0.7}})) == doctest::Approx(expected).epsilon(1e-6));
    }
  }
}

TEST_CASE("a function without a known derivative is named, where the variable is among its operands") {
  const auto of = [](const char* text) { return derivative(*parse(text), {}, is_x); };
  CHECK(of("1 + own(2 * x)").error().message == "own");
  CHECK(of("smoothstep(0.0, 1.0, x)").error().message == "smoothstep");
  CHECK(*of("own(a) * x") == "own(a)");
  CHECK(of("own(a)")->empty());
}
