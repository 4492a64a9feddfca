// Attention over the states of recurrent networks, memories and feedback. The formulas are the corpus's (attribute
// `formula`); parameters bear the names of the sources.

#include "tests/conformance/compose.hpp"
#include <fovea/autodiff.hpp>

namespace fovea::conformance {
namespace {

// softmax over the keys of the scores of one query: [B,1,T] -> [B,T].
Tensor weights_of(Tensor scores) {
  return softmax(reshape(scores, {scores.dim(0), scores.dim(2)}));
}
// [B,T] and [B,T,N] -> [B,N].
Tensor weighted_sum(Tensor weights, Tensor values) {
  const Tensor row = reshape(weights, {weights.dim(0), 1, weights.dim(1)});
  return reshape(matmul(row, values), {values.dim(0), values.dim(2)});
}

// a = softmax(v·tanh(attn[h;enc])), w = a·enc, h' = GRU([emb;w], h), y = fc_out[h';w;emb]; enc [T,B,E].
void bahdanau_step(CaseGraph& graph) {
  const Tensor h = graph.in("h"), enc = permute(graph.in("enc"), {1, 0, 2});
  const Tensor attn = graph.weight("attention.attn.weight");
  const std::int64_t width = h.dim(1);
  const Tensor query = linear(h, part(attn, 1, 0, width), graph.weight("attention.attn.bias"));
  const Tensor keys = linear(enc, part(attn, 1, width, enc.dim(2)));
  const Tensor a = weights_of(additive_score(reshape(query, {h.dim(0), 1, width}), keys, graph.weight("attention.v")));
  const Tensor context = weighted_sum(a, enc);
  const Tensor word = embedding(graph.weight("embedding.weight"), graph.in("ids"));
  const Tensor next =
      recurrent_cell(Cell::gru, concat({word, context}, 1), {h}, cell_weights(graph, "rnn.", "_l0")).h;
  graph.out("a", a);
  graph.out("hidden", next);
  graph.out("y", fully_connected(graph, "fc_out", concat({next, context, word}, 1)));
}

// The step's query is the decoder's hidden state; its input the word before, the first being 0 ("sos").
void seq2seq_bahdanau(CaseGraph& graph) {
  const Tensor source = embedding(graph.weight("enc_embedding.weight"), graph.in("src")), target = graph.in("tgt");
  const RecurrentResult encoded = recurrent(Cell::gru, source, recurrent_layers(graph, "enc_gru."), {.batch_first = true});
  const Tensor keys = encoded.out, projected = fully_connected(graph, "attention.Ua", keys);
  const std::int64_t batch = keys.dim(0), width = keys.dim(2), steps = target.dim(1);
  const Tensor start = graph.constant({batch, 1}, std::vector<std::int32_t>(static_cast<std::size_t>(batch)));
  const Tensor words = embedding(graph.weight("embedding.weight"), concat({start, part(target, 1, 0, steps - 1)}, 1));
  const CellWeights weights = cell_weights(graph, "gru.", "_l0");
  CellState state{reshape(encoded.h, {batch, width})};
  std::vector<Tensor> logits, attention;
  for (std::int64_t t = 0; t < steps; ++t) {
    const Tensor query = reshape(fully_connected(graph, "attention.Wa", state.h), {batch, 1, width});
    const Tensor a = weights_of(weighed_scores(graph, "attention.Va", query, projected));
    const Tensor word = reshape(part(words, 1, t, 1), {batch, width});
    state = recurrent_cell(Cell::gru, concat({word, weighted_sum(a, keys)}, 1), state, weights);
    logits.push_back(reshape(fully_connected(graph, "out", state.h), {batch, 1, -1}));
    attention.push_back(reshape(a, {batch, 1, -1}));
  }
  graph.out("attn", concat(attention, 1));
  graph.out("hidden", reshape(state.h, {1, batch, width}));
  graph.out("logp", log_softmax(concat(logits, 1)));
}

// f = GRU both ways, u = tanh(f W + b), a = softmax over time of tanh(u c), s = sum of a·f; f [T,B,2H].
void han_word(CaseGraph& graph) {
  const Tensor words = embedding(graph.weight("net.lookup.weight"), graph.in("ids"));
  const RecurrentResult gru = recurrent(Cell::gru, words, recurrent_layers(graph, "net.gru."), {.h = graph.in("h")});
  const Tensor u = tanh(matmul(gru.out, graph.weight("net.word_weight")) + graph.weight("net.word_bias"));
  const Tensor a = softmax(tanh(matmul(u, graph.weight("net.context_weight"))), {.axis = 0});
  graph.out("y", sum(a * gru.out, {0}));
  graph.out("hidden", gru.h);
}

// Per hop p = softmax(u·m_A), u += sum p·m_C; memories are sums of the words' embeddings by place. The last embedding
// is also the output's.
void memory_network(CaseGraph& graph) {
  const std::int64_t hops = graph.attrs().object("config").integer("max_hops", 1);
  const Tensor story = graph.in("story"), places = graph.weight("encoding");
  const auto table = [&](std::int64_t k) { return graph.weight("C_" + std::to_string(k) + ".weight"); };
  const auto encoded = [&](std::int64_t k, Tensor words) {
    const Tensor vectors = embedding(table(k), words, {.padding_index = 0});
    return reduce(Reduce::sum, vectors * places, {.axes = {-2}});
  };
  Tensor u = encoded(0, graph.in("query"));
  for (std::int64_t k = 0; k < hops; ++k) {
    const Tensor column = reshape(u, {u.dim(0), u.dim(1), 1});
    const Tensor p = softmax(reshape(matmul(encoded(k, story), column), {story.dim(0), story.dim(1)}));
    u = u + weighted_sum(p, encoded(k + 1, story));
  }
  const Tensor logits = linear(u, table(hops));
  graph.out("logits", logits);
  graph.out("prob", softmax(logits));
}

// ---- Feedback -----------------------------------------------------------------------------------------------------

constexpr std::size_t feedback_layers = 9;

Tensor feedback_layer(CaseGraph& graph, std::size_t i, Tensor x) {
  const std::string name = "layers." + std::to_string(i);
  switch (i) {
    case 0:
    case 3:
      return conv(graph, name, x, {.padding = 1});
    case 2:
    case 5:
      return pool(Pool::max, x, {.kernel = {2, 2}});
    case 6:
      return fully_connected(graph, name, reshape(x, {x.dim(0), -1}));
    case 8:
      return fully_connected(graph, name, x);
    default:
      return relu(x);
  }
}

// A gate multiplies each layer's input. The feedback pass opens those whose gradient, of the class looked for, is above
// zero, and passes on the gradient of the open ones alone.
void feedback_network(CaseGraph& graph) {
  const std::int64_t passes = graph.attrs().object("config").integer("iters", 1);
  std::vector<Tensor> gates(feedback_layers);
  for (std::int64_t pass = 0;; ++pass) {
    std::vector<Tensor> inputs;
    Tensor x = graph.in("x");
    for (std::size_t i = 0; i < feedback_layers; ++i) {
      inputs.push_back(gates[i] ? x * gates[i] : x);
      x = feedback_layer(graph, i, inputs.back());
    }
    graph.out("logits" + std::to_string(pass), x);
    if (pass == passes) break;
    Tensor alpha = one_hot(graph.in("target"), x.dim(1));
    for (std::size_t i = feedback_layers; i-- > 0;) {
      alpha = grad(feedback_layer(graph, i, inputs[i]), {inputs[i]}, {.seed = alpha})[0];
      gates[i] = cast(binary(Binary::greater, alpha, scalar(alpha, 0)), DType::f32);
      alpha = alpha * gates[i];
    }
    graph.out("image_grad" + std::to_string(pass + 1), alpha);
  }
  for (std::size_t i = 0; i < feedback_layers; ++i) graph.out("gate" + std::to_string(i), gates[i]);
}

constexpr Adapter adapters[] = {
    {"BahdanauDecoderStep", bahdanau_step},
    {"FeedbackCNN", feedback_network},
    {"HAN_word", han_word},
    {"MemN2N", memory_network},
    {"Seq2SeqBahdanau", seq2seq_bahdanau},
};

}  // namespace

std::span<const Adapter> recurrent_module_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
