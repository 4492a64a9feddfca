#include "glsl/mod_text.hpp"

#include "glsl/interval.hpp"

#include <algorithm>
#include <optional>
#include <regex>
#include <set>

namespace fovea::glsl {
namespace {

// What a buffer cannot be called: it becomes a macro around the texts.
const std::set<std::string> taken{
    "score", "b", "h", "i", "j", "B", "H", "Lq", "Lk", "float", "int", "uint", "bool", "double", "void", "vec2", "vec3", "vec4", "ivec2",
    "ivec3", "ivec4", "uvec2", "uvec3", "uvec4", "bvec2", "bvec3", "bvec4", "mat2", "mat3", "mat4", "return", "if", "else", "for", "while",
    "do", "break", "continue", "switch", "case", "default", "discard", "const", "in", "out", "inout", "true", "false", "struct", "shared",
    "buffer", "uniform", "layout", "readonly", "writeonly", "precise", "exp", "exp2", "log", "log2", "sqrt", "inversesqrt", "pow", "tanh",
    "sinh", "cosh", "sin", "cos", "tan", "asin", "acos", "atan", "abs", "sign", "floor", "ceil", "round", "roundEven", "trunc", "fract",
    "mod", "min", "max", "clamp", "mix", "step", "smoothstep", "fma", "isnan", "isinf", "dot", "length", "distance", "normalize", "defined"};

std::string buffer_fault(const AttentionModDesc& desc) {
  static const std::regex identifier("[A-Za-z_][A-Za-z0-9_]*");
  std::set<std::string> seen;
  for (const ModBuffer& buffer : desc.buffers) {
    const std::string name = cat("buffer '", buffer.name, '\'');
    if (!std::regex_match(buffer.name, identifier) || buffer.name.find("__") != std::string::npos) return cat(name, " is no identifier of GLSL");
    if (taken.count(buffer.name) || buffer.name.rfind("gl_", 0) == 0 || buffer.name.rfind("fovea_", 0) == 0)
      return cat(name, " has a name that is taken");
    if (!seen.insert(buffer.name).second) return cat(name, " stands twice");
    if (buffer.axes < 1 || buffer.axes > 4) return cat(name, " has ", buffer.axes, " axes, not 1 to 4");
    if (buffer.dtype != DType::f32 && buffer.dtype != DType::i32 && buffer.dtype != DType::boolean)
      return cat(name, " is ", to_string(buffer.dtype), ", not f32, i32 or boolean");
  }
  return {};
}

// Functions that the author defines: they must not meet a kernel's own names.
std::vector<std::string> functions_of(const std::string& text) {
  static const std::regex definition(R"(\b([A-Za-z_]\w*)\s*\([^(){};]*\)\s*\{)");
  static const std::set<std::string> statements{"if", "for", "while", "switch"};
  std::vector<std::string> names;
  for (std::sregex_iterator at(text.begin(), text.end(), definition), end; at != end; ++at)
    if (!statements.count((*at)[1]) && std::find(names.begin(), names.end(), (*at)[1]) == names.end()) names.push_back((*at)[1]);
  return names;
}

bool mentions(const std::string& text, const std::string& word) {
  return std::regex_search(text, std::regex("\\b" + word + "\\b"));
}

bool is_body(const std::string& text) { return mentions(text, "return"); }

// A function whose body is the author's expression or statements; `otherwise` where there is none.
std::string function(const std::string& head, std::size_t text_number, const std::string& text, const char* otherwise) {
  if (text.empty()) return cat(head, " { return ", otherwise, "; }\n");
  return cat(head, " {\n#line 1 ", text_number, '\n', is_body(text) ? "" : "return (", text, is_body(text) ? "\n}\n" : "\n);\n}\n");
}

class Maker {
 public:
  Maker(const AttentionModDesc& desc, bool flat) : desc_(desc), flat_(flat) {
    facts_.buffers = desc.buffers;
    facts_.masks = !desc.mask_mod.empty();
    facts_.factors = !desc.factor_mod.empty();
    facts_.mask_by_head = mentions(desc.mask_mod, "b") || mentions(desc.mask_mod, "h");
    for (const ModBuffer& buffer : desc.buffers) reads_.insert(buffer.name);
    describe();
  }

  ModText make() {
    const std::string pair = "(int b, int h, int i, int j)", scored = "(float score, int b, int h, int i, int j)";
    std::string glsl = cat("// Made of an author's texts.\n#define MOD_SCORES ", !desc_.score_mod.empty() ? "true" : "false",
                           "\n#define MOD_MASKS ", facts_.masks ? "true" : "false", "\n#define MOD_FACTORS ", facts_.factors ? "true" : "false",
                           "\n#define MOD_BUFFERS ", desc_.buffers.size(), '\n');
    glsl += buffers();
    const std::string slope = score_slope();
    const std::string sites = reads();
    const std::string renaming = names(true);
    glsl += renaming;
    if (!desc_.functions.empty()) glsl += cat("#line 1 0\n", desc_.functions, '\n');
    glsl += function("float mod_score" + scored, 1, written(desc_.score_mod), "score");
    glsl += function("bool mod_visible" + pair, 2, written(desc_.mask_mod), "true");
    glsl += function("float mod_factor" + pair, 3, written(desc_.factor_mod), "1.0");
    glsl += slope + sites + block() + names(false);
    return {std::move(facts_), std::move(glsl)};
  }

 private:
  void describe() {
    std::string& text = facts_.text;
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) text += cat(text.empty() ? "" : "; ", name, ": ", std::regex_replace(value, std::regex("\\s+"), " "));
    };
    add("score_mod", desc_.score_mod), add("mask_mod", desc_.mask_mod), add("factor_mod", desc_.factor_mod);
    add("functions", desc_.functions), add("score_slope", desc_.score_slope);
    for (const ModBuffer& buffer : desc_.buffers) text += cat("; ", to_string(buffer.dtype), ' ', buffer.name, '[', buffer.axes, ']');
  }

  std::string buffers() const {
    std::string glsl;
    int constant = 0;
    for (std::size_t n = 0; n < desc_.buffers.size(); ++n) {
      const ModBuffer& buffer = desc_.buffers[n];
      const char* word = buffer.dtype == DType::f32 ? "float" : buffer.dtype == DType::i32 ? "int" : "uint";
      std::string head, index;
      for (int axis = 0; axis < buffer.axes; ++axis) {
        const std::string extent = cat("fovea_extent_", n, '_', axis);
        glsl += cat("layout(constant_id = ATTENTION_MOD_EXTENTS + ", constant++, ") const int ", extent, " = 1;\n");
        head += cat(axis ? ", " : "", "int i", axis);
        const std::string clamped = cat("clamp(i", axis, ", 0, ", extent, " - 1)");
        index = axis ? cat('(', index, ") * ", extent, " + ", clamped) : clamped;
      }
      glsl += cat("layout(set = 0, binding = ATTENTION_MOD_BINDING + ", n, ") readonly buffer FoveaModBuffer", n, " { ", word, " fovea_values_", n,
                  "[]; };\nint fovea_index_", n, '(', head, ") { return ", index, "; }\n", buffer.dtype == DType::boolean ? "bool" : word,
                  " fovea_read_", n, '(', head, ") { return fovea_values_", n, "[fovea_index_", n, '(');
      for (int axis = 0; axis < buffer.axes; ++axis) glsl += cat(axis ? ", " : "", 'i', axis);
      glsl += cat(")]", buffer.dtype == DType::boolean ? " != 0u" : "", "; }\n");
    }
    return glsl;
  }

  // What mask_mod says of a block of pairs: 0 of none is it true, 2 of all, 1 of some, or that is not known.
  std::string block() const {
    std::string glsl = "#ifdef MOD_BLOCKS\n#line 1 9\n#include \"lib/interval.glsl\"\n", range;
    if (const std::optional<Expression> mask = expression_of(desc_.mask_mod)) {
      std::map<std::string, RangeOf> buffers;
      for (std::size_t n = 0; n < desc_.buffers.size(); ++n) {
        const ModBuffer& buffer = desc_.buffers[n];
        const Type type = buffer.dtype == DType::f32 ? Type::real : buffer.dtype == DType::i32 ? Type::integer : Type::boolean;
        buffers[buffer.name] = {type, cat("fovea_range_", n), static_cast<std::size_t>(buffer.axes)};
        glsl += buffer_range(n);
      }
      range = boolean_range(*mask, {{"b", "b"}, {"h", "h"}, {"i", "i"}, {"j", "j"}, {"B", "ivec2(B)"}, {"H", "ivec2(H)"},
                                    {"Lq", "ivec2(Lq)"}, {"Lk", "ivec2(Lk)"}}, buffers);
    }
    return cat(glsl, "uint mod_block(ivec2 b, ivec2 h, ivec2 i, ivec2 j) {\n  ivec2 seen = ", range.empty() ? "ivec2(0, 1)" : range,
               ";\n  return uint(seen.x + seen.y);\n}\n#endif\n");
  }

  // The least and the most of up to 64 elements of a buffer.
  std::string buffer_range(std::size_t n) const {
    const ModBuffer& buffer = desc_.buffers[n];
    const bool real = buffer.dtype == DType::f32, boolean = buffer.dtype == DType::boolean;
    const std::string any = real ? "vec2(NEGATIVE_INFINITY, POSITIVE_INFINITY)" : boolean ? "ivec2(0, 1)" : "ANY_INTEGER";
    std::string head, clamps, loops, count = "1.0", index;
    for (int axis = 0; axis < buffer.axes; ++axis) {
      head += cat(axis ? ", " : "", "ivec2 i", axis);
      clamps += cat("  i", axis, " = clamp(i", axis, ", ivec2(0), ivec2(fovea_extent_", n, '_', axis, " - 1));\n");
      count += cat(" * float(i", axis, ".y - i", axis, ".x + 1)");
      loops += cat("  for (int n", axis, " = i", axis, ".x; n", axis, " <= i", axis, ".y; ++n", axis, ")\n");
      index += cat(axis ? ", " : "", 'n', axis);
    }
    const std::string value = cat("fovea_read_", n, '(', index, ')');
    const char* word = real ? "vec2" : "ivec2";
    return cat(word, " fovea_range_", n, '(', head, ") {\n", clamps, "  if (", count, " > 64.0) return ", any, ";\n  ", word, " range = ",
               real ? "vec2(POSITIVE_INFINITY, NEGATIVE_INFINITY)" : "ivec2(0x7fffffff, -0x7fffffff)", ";\n", loops, "  {\n",
               real ? cat("    float x = ", value, ";\n    if (is_nan(x)) return ", any, ";\n") : cat("    int x = int(", value, ");\n"),
               "    range = ", word, "(min(range.x, x), max(range.y, x));\n  }\n  return range;\n}\n");
  }

  // The author's names stand for others while the texts are read.
  std::string names(bool define) const {
    std::string glsl;
    const auto one = [&](const std::string& name, const std::string& meaning) {
      glsl += define ? cat("#define ", name, ' ', meaning, '\n') : cat("#undef ", name, '\n');
    };
    for (std::size_t n = 0; n < desc_.buffers.size(); ++n) one(desc_.buffers[n].name, cat("fovea_read_", n));
    for (const std::string& name : functions_of(desc_.functions)) one(name, cat("fovea_own_", name));
    one("B", "int(p.pairs / p.key_heads)"), one("H", "int(p.heads)"), one("Lq", "int(p.queries)"), one("Lk", "int(p.keys)");
    one("tanh", "tanh_safe");
    return glsl;
  }

  std::optional<Expression> expression_of(const std::string& text) const {
    if (text.empty() || is_body(text)) return std::nullopt;
    Result<Expression> parsed = parse(text);
    return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
  }

  std::string written(const std::string& text) const {
    const std::optional<Expression> expression = flat_ ? expression_of(text) : std::nullopt;
    return expression ? to_text(*expression, true) : text;
  }

  std::string score_slope() {
    const std::string head = "float mod_slope(float score, int b, int h, int i, int j)";
    if (!desc_.score_slope.empty()) return function(head, 4, desc_.score_slope, "");
    if (desc_.score_mod.empty()) return cat(head, " { return 1.0; }\n");
    const std::string stub = cat(head, " { return 0.0; }\n");
    const std::optional<Expression> score = expression_of(desc_.score_mod);
    if (!score) {
      facts_.no_gradient = "score_mod is more than an expression of operators and functions; score_slope gives its derivative by score";
      return stub;
    }
    const Result<std::string> slope =
        derivative(*score, reads_, [](const Expression& e) { return e.kind == Expression::Kind::name && e.text == "score"; }, flat_);
    if (!slope) {
      facts_.no_gradient = cat("no derivative of '", slope.error().message, "' in score_mod is known; score_slope gives that of score_mod by score");
      return stub;
    }
    return cat(head, " { return float(", slope->empty() ? "0.0" : *slope, "); }\n");
  }

  // What score_mod and factor_mod read of f32 buffers, and the derivatives by each read.
  std::string reads() {
    std::string values, indices, of_factor;
    for (const bool factor : {false, true}) {
      const std::string& text = factor ? desc_.factor_mod : desc_.score_mod;
      const std::optional<Expression> expression = expression_of(text);
      for (std::size_t n = 0; n < desc_.buffers.size(); ++n) {
        if (desc_.buffers[n].dtype != DType::f32) continue;
        if (!expression && mentions(text, desc_.buffers[n].name)) no_buffer_gradient(n, factor, "it is more than an expression of operators and functions");
        if (expression) visit(*expression, [&](const Expression& e) { add_site(*expression, e, n, factor, values, indices, of_factor); });
      }
    }
    for (std::size_t n = 0; n < desc_.buffers.size(); ++n)
      if (desc_.buffers[n].dtype == DType::f32 && mentions(desc_.functions, desc_.buffers[n].name)) no_buffer_gradient(n, false, "functions read it");
    return cat("float mod_site(uint site, float score, int b, int h, int i, int j) {\n", values, "  return 0.0;\n}\n",
               "int mod_site_index(uint site, int b, int h, int i, int j) {\n", indices, "  return 0;\n}\n",
               "bool mod_site_of_factor(uint site) {\n  return ", of_factor.empty() ? "false" : of_factor, ";\n}\n");
  }

  void add_site(const Expression& whole, const Expression& read, std::size_t buffer, bool factor, std::string& values, std::string& indices,
                std::string& of_factor) {
    if (read.kind != Expression::Kind::call || read.text != desc_.buffers[buffer].name) return;
    ops::ModSite site{static_cast<std::uint32_t>(buffer), 0, factor};
    bool by_score = false;
    std::string operands;
    for (const Expression& operand : read.operands) {
      operands += cat(operands.empty() ? "" : ", ", to_text(operand));
      visit(operand, [&](const Expression& e) {
        if (e.kind != Expression::Kind::name) return;
        by_score |= e.text == "score";
        static const std::string axes[] = {"b", "h", "i", "j"};
        for (std::uint32_t axis = 0; axis < 4; ++axis)
          if (e.text == axes[axis]) site.axes |= 1u << axis;
      });
    }
    if (by_score) return no_buffer_gradient(buffer, factor, "the index depends on score");
    const Result<std::string> slope = derivative(whole, reads_, [&](const Expression& e) {
      return e.kind == Expression::Kind::call && e.text == read.text && e.number == read.number;
    }, flat_);
    if (!slope) return no_buffer_gradient(buffer, factor, cat("no derivative of '", slope.error().message, "' is known"));
    if (slope->empty()) return;
    facts_.sites.push_back(site);
    const std::size_t number = facts_.sites.size();
    values += cat("  if (site == ", number, "u) return float(", *slope, ");\n");
    indices += cat("  if (site == ", number, "u) return fovea_index_", buffer, '(', operands, ");\n");
    if (factor) of_factor += cat(of_factor.empty() ? "" : " || ", "site == ", number, "u");
  }

  void no_buffer_gradient(std::size_t buffer, bool factor, const std::string& why) {
    facts_.no_buffer_gradient.resize(desc_.buffers.size());
    if (facts_.no_buffer_gradient[buffer].empty())
      facts_.no_buffer_gradient[buffer] = cat("buffer ", desc_.buffers[buffer].name, " in ", factor ? "factor_mod" : "score_mod", ": ", why);
  }

  const AttentionModDesc& desc_;
  const bool flat_;
  std::set<std::string> reads_;  // the buffers' names
  ops::ModFacts facts_;
};

}  // namespace

Result<ModText> mod_text(const AttentionModDesc& desc, bool flat) {
  if (const std::string fault = buffer_fault(desc); !fault.empty()) return Error{ErrorCode::invalid_argument, cat("attention_mod: ", fault)};
  return Maker(desc, flat).make();
}

std::string author_names(const AttentionModDesc& desc, std::string message) {
  for (std::size_t n = 0; n < desc.buffers.size(); ++n)
    message = std::regex_replace(message, std::regex(cat("\\bfovea_read_", n, "\\b")), desc.buffers[n].name);
  return std::regex_replace(message, std::regex("\\bfovea_own_"), "");
}

}  // namespace fovea::glsl
