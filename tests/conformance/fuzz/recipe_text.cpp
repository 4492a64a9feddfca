// Recipes as text, as they are printed and read again, and as a program.

#include "tests/conformance/fuzz/operators.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace fovea::conformance {
namespace {

constexpr std::string_view header = "fovea-graph 1";

std::string value_text(const Attribute& attribute) {
  if (!attribute.word.empty()) return attribute.word;
  return attribute.list ? fmt::format("[{}]", fmt::join(attribute.numbers, ",")) : fmt::format("{}", attribute.numbers[0]);
}

std::string attributes_text(const Attributes& attributes) {
  std::string text;
  for (const Attribute& attribute : attributes.all)
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", attribute.name, value_text(attribute));
  return text.empty() ? "" : " {" + text + "}";
}

const Operator& gradient_kinds() {
  static const Operator kinds = [] {
    Operator op = input_operator();
    op.name = "gradient";
    op.attributes = "values::uniform|whole|one seed recompute:true";
    return op;
  }();
  return kinds;
}

// Reads one line; the first mistake stays, and what is read after it is nothing.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) { skip_spaces(); }

  bool at_end() const { return rest_.empty(); }
  const std::string& mistake() const { return mistake_; }
  void fail(const std::string& what) {
    if (mistake_.empty()) mistake_ = what;
    rest_ = {};
  }
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    skip_spaces();
    return true;
  }
  void expect(std::string_view token) {
    if (mistake_.empty() && !take(token)) fail(fmt::format("expected '{}' {}", token, here()));
  }
  std::string word() {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
    std::size_t n = 0;
    while (n < rest_.size() && is_letter(rest_[n])) ++n;
    if (n == 0) fail("expected a name " + here());
    const std::string word(rest_.substr(0, n));
    rest_.remove_prefix(std::min(n, rest_.size()));
    skip_spaces();
    return word;
  }
  double number() {
    double value = 0;
    const auto [end, status] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (status != std::errc() || !std::isfinite(value) || std::abs(value) > 1e9) return fail("expected a number up to 1e9 " + here()), 0;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    skip_spaces();
    return value;
  }
  std::int64_t whole(const char* what, std::int64_t least, std::int64_t most) {
    const double value = number();
    if (mistake_.empty() && (value != std::floor(value) || value < static_cast<double>(least) || value > static_cast<double>(most)))
      fail(fmt::format("{} {} is not a whole number from {} to {}", what, value, least, most));
    return mistake_.empty() ? static_cast<std::int64_t>(value) : least;
  }
  // Numbers between brackets.
  template <class Read>
  void list(const Read& read) {
    expect("[");
    if (take("]")) return;
    do read();
    while (mistake_.empty() && take(","));
    expect("]");
  }

 private:
  std::string here() const { return rest_.empty() ? "at the end of the line" : fmt::format("at '{}'", rest_.substr(0, 20)); }
  void skip_spaces() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\r')) rest_.remove_prefix(1);
  }
  std::string_view rest_;
  std::string mistake_;
};

void read_attribute(Line& line, const Operator& op, Attributes& attributes) {
  const std::string name = line.word();
  const std::vector<AttributeKind> kinds = kinds_of(op);
  const auto kind = std::ranges::find(kinds, name, &AttributeKind::name);
  if (line.mistake().empty() && kind == kinds.end()) {
    std::vector<std::string_view> known;
    for (const AttributeKind& one : kinds) known.push_back(one.name);
    return line.fail(fmt::format("{} has no attribute '{}'; it has: {}", op.name, name, fmt::join(known, ", ")));
  }
  if (line.mistake().empty() && attributes.find(name)) return line.fail(fmt::format("'{}' stands twice", name));
  line.expect("=");
  if (!line.mistake().empty()) return;
  if (!kind->words.empty()) {
    const std::string word = line.word();
    if (std::ranges::find(kind->words, word) == kind->words.end())
      line.fail(fmt::format("{}: {} is '{}'; there is: {}", op.name, name, word, fmt::join(kind->words, ", ")));
    attributes.set(name, word);
  } else if (kind->list) {
    std::vector<std::int64_t> numbers;
    line.list([&] { numbers.push_back(line.whole("the entry", -1000000000, 1000000000)); });
    attributes.set(name, numbers);
  } else {
    attributes.set(name, line.number());
  }
}

Attributes read_attributes(Line& line, const Operator& op) {
  Attributes attributes;
  if (!line.take("{")) return attributes;
  do read_attribute(line, op, attributes);
  while (line.mistake().empty() && line.take(","));
  line.expect("}");
  return attributes;
}

// "%3 = softmax(%2) {axis = 1} : f32[2,3]"
Node read_node(Line& line, const std::size_t number) {
  line.expect("%");
  const auto own = static_cast<std::size_t>(line.whole("the value's number", 0, 1000000));
  if (line.mistake().empty() && own != number) line.fail(fmt::format("the next value is %{}, not %{}", number, own));
  line.expect("=");
  const std::string name = line.word();
  Node node{.op = find_operator(name)};
  if (line.mistake().empty() && node.op == nullptr) line.fail(fmt::format("there is no operator '{}'", name));
  line.expect("(");
  if (!line.mistake().empty()) return node;
  while (line.take("%")) {
    const std::int64_t operand = line.whole("operand", 0, 1000000);
    if (line.mistake().empty() && operand >= static_cast<std::int64_t>(number))
      line.fail(fmt::format("%{} is not there yet", operand));
    node.in.push_back(static_cast<std::size_t>(operand));
    if (!line.take(",")) break;
  }
  line.expect(")");
  if (line.mistake().empty() && (node.in.size() < node.op->least || node.in.size() > node.op->most))
    line.fail(fmt::format("{} takes {} to {} operands, not {}", name, node.op->least, node.op->most, node.in.size()));
  if (!line.mistake().empty()) return node;
  node.attributes = read_attributes(line, *node.op);
  line.expect(":");
  node.dtype = line.take("f32") ? DType::f32 : line.take("i32") ? DType::i32 : DType::boolean;
  if (node.dtype == DType::boolean) line.expect("bool");
  std::vector<std::int64_t> extents;
  line.list([&] { extents.push_back(line.whole("the extent", 0, 1000000)); });
  if (extents.size() > max_rank) line.fail(fmt::format("{} axes; there are {} at most", extents.size(), max_rank));
  else node.shape = shape_from(extents);
  return node;
}

const char* type_text(DType dtype) { return dtype == DType::boolean ? "bool" : dtype == DType::i32 ? "i32" : "f32"; }

// Reads all lines; a line's number stands before its mistake.
class Reader {
 public:
  Result<Recipe> read(std::string_view text) {
    for (int number = 1; !text.empty(); ++number) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      Line line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.at_end() || line.take("#")) continue;
      read_line(line, number);
      if (line.mistake().empty() && !line.at_end()) line.fail("there is more than belongs on the line");
      if (!line.mistake().empty()) return error(number, line.mistake());
    }
    if (!begun_) return Error{ErrorCode::invalid_argument, fmt::format("the first line is not '{}'", header)};
    if (!has_output_) return Error{ErrorCode::invalid_argument, "there is no line 'output %'"};
    return check();
  }

 private:
  static Error error(int line, const std::string& what) { return {ErrorCode::invalid_argument, fmt::format("line {}: {}", line, what)}; }

  void read_line(Line& line, int number) {
    if (!begun_) {
      begun_ = line.take(header);
      if (!begun_) line.fail(fmt::format("the first line is not '{}'", header));
    } else if (line.take("storage")) {
      if (!recipe_.nodes.empty()) line.fail("'storage' stands before the values");
      if (line.take("f16")) recipe_.storage = DType::f16;
      else if (line.take("bf16")) recipe_.storage = DType::bf16;
      else line.expect("f32");
    } else if (line.take("output")) {
      line.expect("%");
      recipe_.output = static_cast<std::size_t>(line.whole("the output", 0, 1000000));
      if (has_output_) line.fail("a second line of outputs");
      while (line.take(",")) {
        line.expect("%");
        const auto also = static_cast<std::size_t>(line.whole("the output", 0, 1000000));
        if (std::ranges::find(recipe_.also, also) != recipe_.also.end()) line.fail(fmt::format("%{} stands twice", also));
        recipe_.also.push_back(also);
      }
      for (const std::size_t output : outputs())
        if (output >= recipe_.nodes.size()) line.fail(fmt::format("%{} is not there", output));
      has_output_ = true;
    } else if (line.take("gradient")) {
      if (recipe_.gradient) line.fail("a second gradient");
      recipe_.gradient = read_attributes(line, gradient_kinds());
    } else {
      if (has_output_) line.fail("a value after the output");
      recipe_.nodes.push_back(read_node(line, recipe_.nodes.size()));
      lines_.push_back(number);
    }
  }

  Result<Recipe> check() {
    const std::vector<Node> stated = recipe_.nodes;
    if (Result<void> done = complete(recipe_); !done) {
      const std::string& message = done.error().message;  // "%4: ..."
      const auto node = static_cast<std::size_t>(std::stoi(message.substr(1)));
      return error(lines_[node], message.substr(message.find(": ") + 2));
    }
    for (std::size_t i = 0; i < stated.size(); ++i) {
      const Node& made = recipe_.nodes[i];
      if (made.shape != stated[i].shape || made.dtype != stated[i].dtype)
        return error(lines_[i], fmt::format("the result is {}{}, not {}{}", type_text(made.dtype), to_string(made.shape),
                                            type_text(stated[i].dtype), to_string(stated[i].shape)));
    }
    for (const std::size_t output : outputs())
      if (recipe_.nodes[output].dtype != DType::f32) return error(lines_[output], "the output is not f32");
    return recipe_;
  }

  std::vector<std::size_t> outputs() const {
    std::vector<std::size_t> all{recipe_.output};
    all.insert(all.end(), recipe_.also.begin(), recipe_.also.end());
    return all;
  }

  Recipe recipe_;
  std::vector<int> lines_;  // of the nodes
  bool begun_ = false, has_output_ = false;
};

}  // namespace

std::string to_text(const Recipe& recipe) {
  std::string text = fmt::format("{}\n", header);
  if (recipe.storage != DType::f32) text += fmt::format("storage {}\n", to_string(recipe.storage));
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    const Node& node = recipe.nodes[i];
    std::string operands;
    for (const std::size_t operand : node.in) operands += fmt::format("{}%{}", operands.empty() ? "" : ", ", operand);
    text += fmt::format("%{} = {}({}){} : {}{}\n", i, node.op->name, operands, attributes_text(node.attributes), type_text(node.dtype),
                        to_string(node.shape));
  }
  text += fmt::format("output %{}", recipe.output);
  for (const std::size_t also : recipe.also) text += fmt::format(", %{}", also);
  text += '\n';
  if (recipe.gradient) text += fmt::format("gradient{}\n", attributes_text(*recipe.gradient));
  return text;
}

Result<Recipe> parse_recipe(std::string_view text) { return Reader().read(text); }

// ---- As a program -------------------------------------------------------------------------------------------------

namespace {

std::string cpp_value(const Operator& op, const Attribute& attribute) {
  if (attribute.word.empty())
    return attribute.list ? fmt::format("{{{}}}", fmt::join(attribute.numbers, ", ")) : fmt::format("{}", attribute.numbers[0]);
  const std::vector<AttributeKind> kinds = kinds_of(op);
  const auto kind = std::ranges::find(kinds, attribute.name, &AttributeKind::name);
  return kind->type.empty() ? attribute.word : fmt::format("{}::{}", kind->type, attribute.word);
}

std::string designated(const Operator& op, const Attribute& attribute) {
  return fmt::format(".{} = {}, ", attribute.name, cpp_value(op, attribute));
}

// What a $ of the template stands for; `at` is behind it, and behind the name afterwards.
std::string expand(const Node& node, std::string_view pattern, std::size_t& at) {
  const Operator& op = *node.op;
  if (pattern[at] >= '0' && pattern[at] <= '9') {
    return fmt::format("v{}", node.in[static_cast<std::size_t>(pattern[at++] - '0')]);
  }
  std::string text;
  if (pattern[at] == '*') {
    ++at;
    for (const AttributeKind& kind : kinds_of(op)) {  // in the order of the Desc
      const Attribute* attribute = node.attributes.find(kind.name);
      const auto stands = [&](const std::string& part) { return pattern.find(part) != pattern.npos; };
      const bool elsewhere = stands(fmt::format("${}", kind.name)) || stands(fmt::format(".{}", kind.name));
      if (attribute && !elsewhere) text += designated(op, *attribute);
    }
    return text;
  }
  const bool dotted = pattern[at] == '.';
  at += dotted;
  std::string name;
  while (at < pattern.size() && ((pattern[at] >= 'a' && pattern[at] <= 'z') || pattern[at] == '_')) name += pattern[at++];
  if (name == "shape") return fmt::format("{}", fmt::join(node.shape.extents(), ", "));
  if (name == "pairs") {  // of the innermost axis first; the last in pad's own list
    const std::vector<std::int64_t> numbers = node.attributes.integers("amounts");
    for (std::size_t i = 0; i + 1 < numbers.size(); i += 2)
      text = fmt::format("{{{}, {}}}{}{}", numbers[i], numbers[i + 1], text.empty() ? "" : ", ", text);
    return text;
  }
  const Attribute* attribute = node.attributes.find(name);
  if (attribute == nullptr) {  // in its place an argument must stand: the readers' defaults
    const bool is_list = name == "order" || name == "axes";
    return dotted ? "" : is_list ? "{}" : name == "segments" ? "1" : "0";
  }
  return dotted ? designated(op, *attribute) : cpp_value(op, *attribute);
}

std::string call(const Node& node) {
  const std::string_view pattern = node.op->cpp;
  std::string text;
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at++];
    if (c == '[') {  // up to ]: for an operand that may be absent
      const std::size_t end = pattern.find(']', at), operand = pattern.find('$', at) + 1;
      if (static_cast<std::size_t>(pattern[operand] - '0') >= node.in.size()) at = end + 1;
    } else if (c == '$') {
      text += expand(node, pattern, at);
    } else if (c != ']') {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::string to_cpp(const Recipe& recipe) {
  std::string text = "fovea::Graph graph;\n", inputs;
  const bool half = recipe.storage != DType::f32;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    const Node& node = recipe.nodes[i];
    const bool stored = half && node.dtype == DType::f32;
    if (recipe.is_input(i)) {
      text += fmt::format("const Tensor v{} = {}graph.input(\"v{}\", {{{}}}, DType::{}){};\n", i, stored ? "cast(" : "", i,
                          fmt::join(node.shape.extents(), ", "), to_string(node.dtype), stored ? fmt::format(", DType::{})", to_string(recipe.storage)) : "");
      if (recipe.is_differentiated(i)) inputs += fmt::format("{}v{}", inputs.empty() ? "" : ", ", i);
    } else {
      text += fmt::format("const Tensor v{} = {};\n", i, call(node));
    }
  }
  const auto in_f32 = [&](std::size_t node) {
    return half ? fmt::format("cast(v{}, DType::f32)", node) : fmt::format("v{}", node);
  };
  const std::string y = in_f32(recipe.output);
  text += fmt::format("graph.output(\"y\", {});\n", y);
  for (const std::size_t also : recipe.also) text += fmt::format("graph.output(\"y{}\", {});\n", also, in_f32(also));
  if (recipe.gradient && !inputs.empty())
    text += fmt::format("const auto gradients = grad(reduce(Reduce::sum, {} * graph.input(\"dy\", {{{}}})), {{{}}}{});\n", y,
                        fmt::join(recipe.nodes[recipe.output].shape.extents(), ", "), inputs,
                        recipe.gradient->flag("recompute") ? ", {.recompute = true}" : "");
  return text;
}

}  // namespace fovea::conformance
