#include "nn/attention_spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "kernels/attention/parts.h"

namespace attune {
namespace {

using kernels::Bias;
using kernels::Pattern;
using kernels::Score;
using kernels::Select;
using kernels::word_of;

// The words of a part, without those that a model has nothing for: a bias that is an input.
template <class Part, std::size_t n>
std::vector<std::pair<std::string, Part>> words_of(const std::array<kernels::Word<Part>, n>& words,
                                                   const std::vector<Part>& without = {}) {
  std::vector<std::pair<std::string, Part>> pairs;
  for (const auto& word : words)
    if (std::find(without.begin(), without.end(), word.part) == without.end())
      pairs.emplace_back(word.word, word.part);
  return pairs;
}

std::optional<double> finite_number(const Literal& text) {
  if (text.is_list || text.items.size() != 1) return std::nullopt;
  const std::string& word = text.items[0];
  double x = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), x);
  if (problem != std::errc() || end != word.data() + word.size() || !std::isfinite(x))
    return std::nullopt;
  return x;
}
bool is_word(const Literal& text, std::string_view word) {
  return !text.is_list && text.items.size() == 1 && text.items[0] == word;
}

// A group's fields by a member function, for FieldList::alternative().
struct Part {
  AttentionSpec& spec;
  void (AttentionSpec::*declare)(FieldList&);
  void fields(FieldList& f) { (spec.*declare)(f); }
};

void norm_choice(FieldList& f, std::string_view name, AttentionSpec::Norm& value,
                 std::string_view doc) {
  f.choice(name, value,
           {{"none", AttentionSpec::Norm::none},
            {"rms", AttentionSpec::Norm::rms},
            {"layer", AttentionSpec::Norm::layer}},
           Role::result, doc);
}

constexpr Range kCount{1, 1e9};

}  // namespace

void AttentionSpec::HeadGain::fields(FieldList& f) {
  f.integer("head", head, {0, 511}, Role::result, "which head, from 0");
  f.real("gain", gain, {-1e6, 1e6}, Role::result, "what it says is multiplied by");
}

void AttentionSpec::head_fields(FieldList& f, bool any_width) {
  if (any_width)
    f.integers("head_widths", head_widths, {1, 4096}, Role::result,
               "columns of each head, each at most d_model; []: d_model / n_heads each");
  f.integer("n_kv_heads", n_kv_heads, {0, 512}, Role::result,
            "heads of keys and values, shared by equal groups of heads: 1 is multi-query; 0: "
            "n_heads");
  f.choice("values", values, {{"per_head", Values::per_head}, {"shared", Values::shared}},
           Role::result, "one head's values for all, or a head its own");
  norm_choice(f, "qk_norm", qk_norm, "norm of queries and keys by head, with gains");
  norm_choice(f, "output_norm", output_norm, "norm of what each head says, with gains");
  f.group("head_gain", head_gain, "what one head says, times a number");
}

void AttentionSpec::score_fields(FieldList& f) {
  f.choice("score", score, words_of(kernels::score_words), Role::result,
           "of a query and a key: their product, w · tanh(q + k), or their cosine");
  f.custom(
      "scale", "auto, a number, learned or shared",
      [this](const Literal& text) -> std::string {
        const std::optional<double> number = finite_number(text);
        if (number) {
          scale = {Scale::Kind::number, *number};
        } else if (is_word(text, "auto")) {
          scale = {};
        } else if (is_word(text, "learned")) {
          scale = {Scale::Kind::learned, 1};
        } else if (is_word(text, "shared")) {
          scale = {Scale::Kind::shared, 1};
        } else {
          return "is neither auto, a finite number, learned nor shared";
        }
        return {};
      },
      [this]() -> FieldValue {
        if (scale.kind == Scale::Kind::number) return scale.number;
        if (scale.kind == Scale::Kind::learned) return std::string("learned");
        return std::string(scale.kind == Scale::Kind::shared ? "shared" : "auto");
      },
      Role::result,
      "of the scores; auto: 1/sqrt(d_head) for scaled_dot, else 1; learned: by head, from auto on; "
      "shared: 1/sqrt of the geometric mean of head widths");
  f.custom(
      "gain", "a number or learned",
      [this](const Literal& text) -> std::string {
        const std::optional<double> number = finite_number(text);
        if (!number && !is_word(text, "learned")) return "is neither a finite number nor learned";
        gain = {!number, number.value_or(Gain().number)};
        return {};
      },
      [this]() -> FieldValue {
        return gain.learned ? FieldValue(std::string("learned")) : FieldValue(gain.number);
      },
      Role::result, "of score cosine; learned: by head, from 10 on");
  f.choice("normaliser", normaliser, words_of(kernels::normaliser_words), Role::result,
           "what turns scores into weights");
  f.real("temperature", temperature, {1e-6, 1e6}, Role::result, "divides the scores");
  f.real("dropout", dropout, {0.0, 0.999}, Role::result,
         "share of attention weights dropped in training");
  f.rule([this]() -> std::optional<Complaint> {
    const auto about = [&](std::string why) {
      const std::string_view word = word_of(kernels::score_words, score);
      return Complaint{"scale",
                       fmt::format("scale={} with score={}: {}",
                                   scale.kind == Scale::Kind::learned  ? "learned"
                                   : scale.kind == Scale::Kind::shared ? "shared"
                                                                       : "a number",
                                   word, why),
                       "",
                       {"score"}};
    };
    if (scale.kind == Scale::Kind::learned && score == Score::additive)
      return about("its w is learned and scales each head's scores already; leave scale at auto");
    if (scale.kind != Scale::Kind::automatic && score == Score::cosine)
      return about("cosines are multiplied by gain; set gain, and leave scale at auto");
    if (scale.kind == Scale::Kind::shared && score != Score::scaled_dot)
      return about(
          "only scaled_dot divides by the width of heads, so that there is nothing to "
          "share");
    return std::nullopt;
  });
}

void AttentionSpec::exact_fields(FieldList& f) {
  score_fields(f);
  f.choice("bias", bias, words_of(kernels::bias_words, {Bias::given}), Role::result,
           "added to scores by position");
  f.integer("max_distance", max_distance, {0, 65536}, Role::result,
            "bias relative: distances that its table tells apart, to either side");
  f.choice("pattern", pattern, words_of(kernels::pattern_words, {}), Role::result,
           "which keys a query may see");
  f.integer("window", window, kCount, Role::result,
            "patterns window, causal_window and dilated: steps to either side, or back");
  f.integer("dilation", dilation, kCount, Role::result, "pattern dilated: from key to key");
  f.integer("block", block, kCount, Role::result, "pattern block: its size");
  f.choice("select", select, words_of(kernels::select_words), Role::result,
           "which of these keys it keeps");
  f.integer("k", k, kCount, Role::result, "select top_k and two_stage_top_k: keys kept");
  head_fields(f, true);
  f.rule([this]() -> std::optional<Complaint> {
    const auto wants = [](std::string_view part, std::string_view word, std::string_view key) {
      return Complaint{std::string(part),
                       fmt::format("{}={} needs {}, which is not set", part, word, key),
                       fmt::format("set {} to a whole number from 1 on", key),
                       {std::string(key)}};
    };
    const std::string_view seen = word_of(kernels::pattern_words, pattern);
    if ((pattern == Pattern::window || pattern == Pattern::causal_window ||
         pattern == Pattern::dilated) &&
        !window)
      return wants("pattern", seen, "window");
    if (pattern == Pattern::block && !block) return wants("pattern", seen, "block");
    if (select != Select::all && !k)
      return wants("select", word_of(kernels::select_words, select), "k");
    return std::nullopt;
  });
}

void AttentionSpec::linear_fields(FieldList& f) {
  f.choice("pattern", pattern, {{"full", Pattern::full}, {"causal", Pattern::causal}}, Role::result,
           "which keys a query may see");
  head_fields(f, false);
}

void AttentionSpec::performer_fields(FieldList& f) {
  f.integer("n_features", n_features, {1, 4096}, Role::result, "random features of each head");
  linear_fields(f);
}

void AttentionSpec::linformer_fields(FieldList& f) {
  f.integer("k", k, {1, 65536}, Role::result, "rows that keys and values are projected to");
  f.integer("max_length", max_length, {1, 1e6}, Role::result,
            "longest sequence; shorter ones use the projection's first columns");
  score_fields(f);
  head_fields(f, true);
  f.rule([this]() -> std::optional<Complaint> {
    if (k && max_length) return std::nullopt;
    const char* const missing = k ? "max_length" : "k";
    return Complaint{missing,
                     fmt::format("kind=linformer needs {}, which is not set", missing),
                     k ? "set it to the length of the longest sequence"
                       : "set it to the number of rows that keys are projected to",
                     {"kind"}};
  });
}

std::vector<FieldVariant::Alternative> AttentionSpec::alternatives() {
  const auto alternative = [this](const char* name, const char* doc,
                                  void (AttentionSpec::*declare)(FieldList&)) {
    Part part{*this, declare};
    return FieldList::alternative(name, doc, part);
  };
  return {
      alternative("exact", "scores of every query and key that it sees",
                  &AttentionSpec::exact_fields),
      alternative("linear", "sums of keys and values under the features elu + 1",
                  &AttentionSpec::linear_fields),
      alternative("performer", "the same under random features whose products mean softmax's",
                  &AttentionSpec::performer_fields),
      alternative("linformer", "scores with a few mixtures of keys",
                  &AttentionSpec::linformer_fields),
  };
}

bool AttentionSpec::needs_grid() const { return kind == "exact" && bias == Bias::alibi_2d; }

std::optional<Complaint> AttentionSpec::misfit(const RowSpec& spec) const {
  if (spec.edges || kind != "exact" || pattern != Pattern::edges) return std::nullopt;
  return Complaint{"attention.pattern",
                   "needs edges for attention.pattern=edges, and this data has none",
                   "set model.attention.pattern=full, or learn from data.kind=graph",
                   {}};
}

std::optional<Complaint> AttentionSpec::complaint(Index d, Index n_heads) const {
  const auto about = [](std::string key, std::string message, std::string hint,
                        std::vector<std::string> also) {
    return Complaint{"attention." + std::move(key), "attention." + std::move(message),
                     std::move(hint), std::move(also)};
  };
  if (!head_widths.empty()) {
    const auto count = static_cast<Index>(head_widths.size());
    std::vector<std::string> words;
    for (const Index width : head_widths) words.push_back(std::to_string(width));
    const std::string list = "[" + join(words) + "]";
    if (count != n_heads)
      return about(
          "head_widths",
          fmt::format("head_widths={} names {} widths for n_heads={}", list, count, n_heads),
          "give a width for each head", {"n_heads"});
    const Index widest = *std::max_element(head_widths.begin(), head_widths.end());
    // Its projections have no more than rank d: further columns would say nothing new.
    if (widest > d)
      return about("head_widths",
                   fmt::format("head_widths={} has a head of {} columns in a stream of d_model={}",
                               list, widest, d),
                   fmt::format("heads may have up to {} columns each", d), {"d_model"});
    if (n_kv_heads != 0 && n_kv_heads != n_heads)
      return about(
          "n_kv_heads",
          fmt::format("n_kv_heads={} with head_widths: heads of different widths can't share keys",
                      n_kv_heads),
          "leave one of them out", {"attention.head_widths"});
    if (values == Values::shared)
      return about("values",
                   "values=shared with head_widths: heads of different widths can't share values",
                   "leave one of them out", {"attention.head_widths"});
  }
  if (n_kv_heads != 0 && (n_kv_heads > n_heads || n_heads % n_kv_heads != 0)) {
    std::string divisors;
    for (Index h = 1; h <= n_heads; ++h)
      if (n_heads % h == 0) divisors += (divisors.empty() ? "" : ", ") + std::to_string(h);
    return about("n_kv_heads",
                 fmt::format("n_kv_heads={} does not divide n_heads={}", n_kv_heads, n_heads),
                 "valid values: " + divisors, {"n_heads"});
  }
  if (head_gain.gain != 1.0 && head_gain.head >= n_heads)
    return about("head_gain.head",
                 fmt::format("head_gain.head={} is none of the {} heads", head_gain.head, n_heads),
                 fmt::format("heads count from 0 to {}", n_heads - 1), {"n_heads"});
  return std::nullopt;
}

}  // namespace attune
