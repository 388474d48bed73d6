#include <algorithm>
#include <charconv>
#include <cmath>

#include "autograd/absent.h"
#include "autograd/drawing_options.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/attention/parts.h"

namespace attune {
namespace {

constexpr std::size_t kGain = 6;    // among the inputs
constexpr std::size_t kWidths = 7;  // among the indices

Index kv_heads(const AttentionOptions& o) { return o.n_kv_heads == 0 ? o.n_heads : o.n_kv_heads; }

// Heads of one width: gives the columns of y.
Index equal_heads(const AttentionOptions& o, const Shape& q, const Shape& k, const Shape& v) {
  const Index h = o.n_heads, h_kv = kv_heads(o);
  ATTUNE_CHECK(h >= 1 && h_kv >= 1 && h % h_kv == 0, ShapeError,
               "[attention] n_heads={} is no multiple of n_kv_heads={}", h, h_kv);
  ATTUNE_CHECK(q[1] % h == 0, ShapeError,
               "[attention] q has {} columns, which {} heads do not divide", q[1], h);
  const Index d_k = q[1] / h;
  ATTUNE_CHECK(k[1] == h_kv * d_k, ShapeError,
               "[attention] q has {} heads of width {} ({} columns), k has {} columns: k's width "
               "must be n_kv_heads · d_k = {} · {} = {}{}",
               h, d_k, q[1], k[1], h_kv, d_k, h_kv * d_k,
               k[1] >= d_k && k[1] % d_k == 0 && h % (k[1] / d_k) == 0
                   ? fmt::format(". Set n_kv_heads={} if heads share keys", k[1] / d_k)
                   : "");
  ATTUNE_CHECK(v[0] == k[0] && v[1] % h_kv == 0, ShapeError,
               "[attention] v {} must have as many rows as k {}, and columns for {} heads",
               v.text(), k.text(), h_kv);
  return h * (v[1] / h_kv);
}

// Heads of the widths given, whose sum the kernel checks: gives the columns of y.
template <class Real>
Index given_heads(const OpCall<Real>& c, const Shape& q, const Shape& k, const Shape& v) {
  const Index h = c.template as<AttentionOptions>().n_heads,
              n = index_size(c, attention_op, kWidths);
  ATTUNE_CHECK(n == h && k[1] == q[1] && v[0] == k[0] && v[1] == q[1], ShapeError,
               "[attention] widths are those of {} heads, q is {}, k {} and v {}: there must be a "
               "width for each of n_heads={}, and q, k and v must be as wide as they together",
               n, q.text(), k.text(), v.text(), h);
  return v[1];
}

template <class Real>
void shapes(const OpCall<Real>& c, OpShapes& s) {
  const auto& o = c.template as<AttentionOptions>();
  const Shape q = rank_of(c, attention_op, 0, 2), k = rank_of(c, attention_op, 1, 2),
              v = rank_of(c, attention_op, 2, 2);
  const Index h = o.n_heads;
  s.out[0] = {q[0], c.index[kWidths] ? given_heads(c, q, k, v) : equal_heads(o, q, k, v)};
  s.out[1] = {o.normaliser == kernels::Normaliser::softmax ? q[0] : 0, h};
  const Index n = check_offsets(c, attention_op, 0, q[0]);
  const Index n_keys = check_offsets(c, attention_op, 1, k[0]);
  ATTUNE_CHECK(n == n_keys, ShapeError, "[attention] q_offsets bound {} sequences, k_offsets {}", n,
               n_keys);
  ATTUNE_CHECK(c.index[2] || o.dropout.p == 0, ShapeError,
               "[attention] dropout needs example ids [{}], which key its mask", n);
}

template <class Real>
kernels::AttentionOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<AttentionOptions>();
  kernels::AttentionOptions k = o.kernel(c.in[0].dim(1) / o.n_heads, c.in[2].dim(1) / kv_heads(o));
  k.widths = c.index[kWidths];
  // A gain by head takes the place of the automatic scale. Heads of different widths have one each.
  if (!o.scale && c.in[kGain]) k.scale = 1;
  k.scale_by_width = !o.scale && !c.in[kGain];
  if (c.in[3] && o.bias == kernels::Bias::none) k.bias = kernels::Bias::given;
  return k;
}

template <class Real>
kernels::AttentionRows kernel_rows(const OpCall<Real>& c) {
  return {c.index[0], c.index[1], c.index[2], c.index[3], c.index[4], c.index[5], c.index[6]};
}

template <class Real>
kernels::AttentionParameters<const Real> parameters(const OpCall<Real>& c) {
  return {.w = c.in[4], .bias = c.in[3], .table = c.in[5], .gain = c.in[kGain]};
}

template <class Real>
void forward(OpCall<Real>& c) {
  kernels::attention<Real>(kernel_options(c), kernel_rows(c), c.in[0], c.in[1], c.in[2], c.out[0],
                           c.out[1], parameters(c));
}

template <class Real>
void backward(OpCall<Real>& c) {
  c.zero_fresh(3);
  Scratch scratch;
  std::array<View<Real>, 3> grad;
  for (std::size_t i = 0; i < 3; ++i) {
    // The kernel gives all three at once; one that nobody wants goes to scratch.
    grad[i] = c.grad_in[i] ? c.grad_in[i] : scratch.view<Real>(c.in[i].shape());
    if (!c.grad_in[i]) std::fill(grad[i].begin(), grad[i].end(), Real(0));
  }
  kernels::attention_backward<Real>(
      kernel_options(c), kernel_rows(c), c.grad_out[0], c.in[0], c.in[1], c.in[2], c.out[0],
      c.out[1], grad[0], grad[1], grad[2], parameters(c),
      {.w = c.grad_in[4], .bias = c.grad_in[3], .table = c.grad_in[5], .gain = c.grad_in[kGain]},
      c.grad_out[1], {.q = c.fresh[0], .k = c.fresh[1], .v = c.fresh[2]});
}

// Scores and sums of values; backward the scores again, and the gradients of q, k, v and weights.
template <class Real>
double flops(const OpCall<Real>& c, bool backward) {
  const kernels::AttentionOptions o = kernel_options(c);
  const double by_head =
      kernels::attention_scores(o, kernel_rows(c)) / static_cast<double>(o.n_heads);
  const auto k = static_cast<double>(c.in[0].dim(1)), v = static_cast<double>(c.out[0].dim(1));
  return 2 * by_head * (backward ? 3 * k + 2 * v : k + v);
}

std::string read_scale(const Literal& text, std::optional<double>& scale) {
  if (!text.is_list && text.items.size() == 1) {
    const std::string& word = text.items[0];
    double x = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), x);
    const bool number = problem == std::errc() && end == word.data() + word.size();
    if (number && std::isfinite(x)) scale = x;
    if (word == "auto") scale.reset();
    if (word == "auto" || (number && std::isfinite(x))) return {};
  }
  return "is neither auto nor a finite number";
}

template <class Part, std::size_t n>
std::vector<std::pair<std::string, Part>> choices(const std::array<kernels::Word<Part>, n>& words) {
  std::vector<std::pair<std::string, Part>> pairs;
  for (const auto& word : words) pairs.emplace_back(word.word, word.part);
  return pairs;
}

}  // namespace

kernels::AttentionOptions AttentionOptions::kernel(Index d_k, Index d_v) const {
  kernels::AttentionOptions o;
  o.n_heads = n_heads;
  o.n_kv_heads = kv_heads(*this);
  o.d_k = d_k;
  o.d_v = d_v;
  o.scale = scale.value_or(kernels::default_scale(score, d_k));
  o.pattern = pattern;
  o.dropout = dropout.p;
  o.stream_key = dropout.key;
  o.step = static_cast<std::uint32_t>(dropout.step);
  o.score = score;
  o.bias = bias;
  o.select = select;
  o.normaliser = normaliser;
  o.window = window;
  o.dilation = dilation;
  o.block = block;
  o.k = k;
  o.temperature = temperature;
  return o;
}

void AttentionOptions::fields(FieldList& f) {
  f.integer("n_heads", n_heads, {1, 4096}, Role::result, "query heads");
  f.integer("n_kv_heads", n_kv_heads, {0, 4096}, Role::result, "key heads; 0: as many as queries");
  f.choice("score", score, choices(kernels::score_words), Role::result,
           "of a query and a key: their product, w · tanh(q + k), or their cosine");
  f.custom(
      "scale", "auto or a number", [this](const Literal& text) { return read_scale(text, scale); },
      [this]() -> FieldValue { return scale ? FieldValue(*scale) : std::string("auto"); },
      Role::result,
      "of the scores; auto: 1/sqrt(d_k) for scaled_dot, else 1; 1 where a gain is given");
  f.choice("bias", bias, choices(kernels::bias_words), Role::result,
           "added to scores; the input bias, where it stands, needs no word");
  f.choice("pattern", pattern, choices(kernels::pattern_words), Role::result,
           "which keys a query may see");
  f.integer("window", window, {0, 1e9}, Role::result,
            "patterns window, causal_window and dilated: steps to either side, or back");
  f.integer("dilation", dilation, {1, 1e9}, Role::result, "pattern dilated: from key to key");
  f.integer("block", block, {1, 1e9}, Role::result, "pattern block: its size");
  f.choice("select", select, choices(kernels::select_words), Role::result,
           "which of these keys it keeps");
  f.integer("k", k, {1, 1e9}, Role::result, "select top_k and two_stage_top_k: keys kept");
  f.choice("normaliser", normaliser, choices(kernels::normaliser_words), Role::result,
           "what turns scores into weights");
  f.real("temperature", temperature, {1e-6, 1e6}, Role::result, "divides the scores");
  dropout.fields(f, "dropout", "probability of dropping an attention weight");
  f.rule([this]() -> std::optional<Complaint> {
    kernels::AttentionOptions o;
    o.pattern = pattern;
    o.select = select;
    const std::string_view why_not = kernels::refusal(o);
    if (why_not.empty()) return std::nullopt;
    return Complaint{"select", std::string(why_not), "", {"pattern"}};
  });
}

const Op attention_op{
    .name = "attention",
    .maths =
        "y_i = Σ_j normaliser_j((scale · gain_h · score(q_i, k_j) + bias_ij) / temperature) v_j "
        "over "
        "the keys that pattern and select leave, by head and sequence; lse_i = log Σ_j exp(…)",
    .inputs = {{"q", "[n_q, n_heads·d_k]"},
               {"k", "[n_k, n_kv_heads·d_k]"},
               {"v", "[n_k, n_kv_heads·d_v]"},
               {"bias", "[n_heads, n_q, n_k]", true},
               {"w", "[n_heads, d_k]", true},
               {"table", "[n_heads, 2·max_distance+1]", true},
               {"gain", "[n_heads]", true}},
    .indices = {{"q_offsets", "[B+1]", false, &absent::one_sequence},
                {"k_offsets", "[B+1]", false, &absent::one_sequence_of_second},
                {"example", "[B]", true, &absent::numbered_sequences},
                {"indptr", "[n_q+1]", true},
                {"indices", "[n_edges]", true},
                {"q_positions", "[n_q, 2]", true},
                {"k_positions", "[n_k, 2]", true},
                {"widths", "[n_heads]", true}},
    .outputs = {{"y", "[n_q, n_heads·d_v]"}, {"lse", "[n_q, n_heads]", true}},
    .options = make_drawing_options<AttentionOptions>,
    .f32 = {.shapes = shapes<float>,
            .forward = forward<float>,
            .backward = backward<float>,
            .flops = flops<float>,
            .begins_gradients = true},
    .f64 = {.shapes = shapes<double>,
            .forward = forward<double>,
            .backward = backward<double>,
            .flops = flops<double>,
            .begins_gradients = true},
};

template <class Real>
void attention_weights(const Tape<Real>& t, Var q, Var k, const AttentionVars& learned,
                       const kernels::AttentionRows& rows, const AttentionOptions& options,
                       View<const std::int32_t> widths, const kernels::WeightReader<Real>& read) {
  OpCall<Real> call;
  const Var inputs[] = {q, k, k, learned.bias, learned.w, learned.table, learned.gain};
  for (std::size_t i = 0; i < std::size(inputs); ++i)
    if (inputs[i]) call.in[i] = t.value(inputs[i]);
  call.index[kWidths] = widths;
  call.options = &options;
  kernels::attention_weights<Real>(kernel_options(call), rows, call.in[0], call.in[1],
                                   parameters(call), read);
}

template void attention_weights(const Tape<float>&, Var, Var, const AttentionVars&,
                                const kernels::AttentionRows&, const AttentionOptions&,
                                View<const std::int32_t>, const kernels::WeightReader<float>&);
template void attention_weights(const Tape<double>&, Var, Var, const AttentionVars&,
                                const kernels::AttentionRows&, const AttentionOptions&,
                                View<const std::int32_t>, const kernels::WeightReader<double>&);

}  // namespace attune
