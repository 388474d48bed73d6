#include "experiments/op_cost.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "autograd/ops.h"
#include "base/philox.h"
#include "kernels/part_clock.h"

namespace attune {
namespace {

using Which = OpCostOptions::Attention;
using Pattern = kernels::Pattern;
using kernels::PartClock;

constexpr int kWarmUp = 2, kLeast = 3;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

AttentionOptions parts_of(const OpCostOptions& o) {
  AttentionOptions a;
  a.n_heads = o.n_heads;
  a.window = o.window;
  a.dilation = o.dilation;
  a.block = o.block;
  a.k = o.k;
  a.dropout.p = o.dropout;
  switch (o.attention) {
    case Which::causal:
      a.pattern = {Pattern::causal};
      break;
    case Which::window:
      a.pattern = {Pattern::window};
      break;
    case Which::causal_window:
      a.pattern = {Pattern::causal_window};
      break;
    case Which::dilated:
      a.pattern = {Pattern::dilated};
      break;
    case Which::block:
      a.pattern = {Pattern::block};
      break;
    case Which::top_k:
      a.select = kernels::Select::top_k;
      break;
    case Which::two_stage_top_k:
      a.select = kernels::Select::two_stage_top_k;
      break;
    case Which::sparsemax:
      a.normaliser = kernels::Normaliser::sparsemax;
      break;
    case Which::entmax15:
      a.normaliser = kernels::Normaliser::entmax15;
      break;
    default:
      break;
  }
  return a;
}

// What is measured, with memory of its own.
class Subject {
 public:
  Subject(const OpCostOptions& o, Index seed)
      : options_(o),
        n_(o.batch * o.n),
        width_(o.n_heads * o.d_head),
        q_(drawn(seed, "q", {n_, width_})),
        k_(drawn(seed, "k", {n_, width_})),
        v_(drawn(seed, "v", {n_, width_})),
        upstream_(drawn(seed, "upstream", {n_, width_})),
        extra_(o.attention == Which::performer
                   ? drawn(seed, "directions", {o.n_features, o.d_head})
                   : drawn(seed, "mixture", {o.attention == Which::linformer ? o.k : 0, o.n})),
        offsets_(memory_.view<std::int32_t>({o.batch + 1})),
        latent_(memory_.view<std::int32_t>({o.batch + 1})),
        example_(memory_.view<std::int32_t>({o.batch})) {
    for (Index e = 0; e <= o.batch; ++e) {
      offsets_[e] = static_cast<std::int32_t>(e * o.n);
      latent_[e] = static_cast<std::int32_t>(e * o.k);
      if (e < o.batch) example_[e] = static_cast<std::int32_t>(e);
    }
  }

  // Seconds of forward and of backward.
  std::pair<double, double> pass(bool backward) {
    tape_.reset();
    const double begin = now();
    const auto input = [&](Leaf& leaf) {
      return backward ? tape_.parameter(leaf.value, leaf.grad) : tape_.constant(leaf.value);
    };
    const Var y = attended(input(q_), input(k_), input(v_));
    const double middle = now();
    if (!backward) return {middle - begin, 0};
    const Tape<float>::Seed seed{y, upstream_.value};
    tape_.backward({&seed, 1});
    return {middle - begin, now() - middle};
  }

  double scores() const {
    if (options_.attention == Which::linear || options_.attention == Which::performer) return 0;
    const bool mixed = options_.attention == Which::linformer;
    return kernels::attention_scores(parts_of(options_).kernel(options_.d_head, options_.d_head),
                                     {offsets_, mixed ? latent_ : offsets_});
  }
  bool exact() const {
    return options_.attention != Which::linear && options_.attention != Which::performer;
  }
  void set_profile(Profile* profile) { tape_.set_profile(profile); }
  std::size_t memory() const { return memory_.high_water() + arena_.high_water(); }

 private:
  struct Leaf {
    View<float> value, grad;
  };

  // Of variance 1, by sums of four uniform numbers.
  Leaf drawn(Index seed, const char* name, const Shape& shape) {
    const Leaf leaf{memory_.view<float>(shape), memory_.zeros<float>(shape)};
    const Stream stream(static_cast<std::uint64_t>(seed), "op_cost", name);
    for (Index i = 0; i < leaf.value.size(); ++i) {
      const auto at = static_cast<std::uint64_t>(4 * i);
      const double sum = stream.uniform(at) + stream.uniform(at + 1) + stream.uniform(at + 2) +
                         stream.uniform(at + 3);
      leaf.value[i] = static_cast<float>((sum - 2) * std::sqrt(3.0));
    }
    return leaf;
  }

  Var attended(Var q, Var k, Var v) {
    Tape<float>& t = tape_;
    const AttentionOptions a = parts_of(options_);
    if (options_.attention == Which::linformer) {
      const Var mixture = t.constant(extra_.value);
      return attention(t, q, project_rows(t, k, mixture, offsets_),
                       project_rows(t, v, mixture, offsets_), {}, {offsets_, latent_, example_}, a);
    }
    if (exact()) return attention(t, q, k, v, {}, {offsets_, offsets_, example_}, a);
    if (options_.attention == Which::performer) {
      const Var directions = t.constant(extra_.value);
      q = performer_features(t, q, directions, offsets_, kernels::FeatureShift::row);
      k = performer_features(t, k, directions, offsets_, kernels::FeatureShift::sequence);
    } else {
      q = elu_plus_one(t, q);
      k = elu_plus_one(t, k);
    }
    return linear_attention(t, q, k, v, offsets_, offsets_,
                            LinearAttentionOptions{options_.n_heads, options_.n_heads, false});
  }

  const OpCostOptions& options_;
  Index n_, width_;
  Arena memory_, arena_;
  Leaf q_, k_, v_, upstream_, extra_;
  View<std::int32_t> offsets_, latent_, example_;
  Tape<float> tape_{arena_};
};

void measure_parts(Subject& subject, double seconds, Recorder& recorder) {
  kernels::Threads alone(1);
  alone.run([&] {
    const PartClock clock;
    const double end = now() + seconds;
    int passes = 0;
    for (; passes < kLeast || now() < end; ++passes) subject.pass(false);
    for (const auto& [name, part] : {std::pair{"score", PartClock::Part::score},
                                     {"select", PartClock::Part::select},
                                     {"normalise", PartClock::Part::normalise},
                                     {"value", PartClock::Part::value}})
      recorder.measure(std::string("time/") + name, "s", clock.seconds(part) / passes);
  });
}

}  // namespace

void OpCostOptions::fields(FieldList& f) {
  f.choice("op", op, {{"attention", Name::attention}}, Role::result, "what is measured");
  f.choice("attention", attention,
           {{"full", Attention::full},
            {"causal", Attention::causal},
            {"window", Attention::window},
            {"causal_window", Attention::causal_window},
            {"dilated", Attention::dilated},
            {"block", Attention::block},
            {"top_k", Attention::top_k},
            {"two_stage_top_k", Attention::two_stage_top_k},
            {"sparsemax", Attention::sparsemax},
            {"entmax15", Attention::entmax15},
            {"linear", Attention::linear},
            {"performer", Attention::performer},
            {"linformer", Attention::linformer}},
           Role::result, "which pattern, selection, normaliser or kind");
  f.integer("n", n, {1, 1 << 20}, Role::result, "rows of a sequence");
  f.integer("batch", batch, {1, 1 << 16}, Role::result, "sequences");
  f.integer("n_heads", n_heads, {1, 512}, Role::result, "heads");
  f.integer("d_head", d_head, {1, 1024}, Role::result, "columns of a head");
  f.boolean("backward", backward, Role::result, "backward as well");
  f.real("dropout", dropout, {0.0, 0.99}, Role::result, "share of the weights dropped");
  f.integer("k", k, {1, 1 << 20}, Role::result,
            "keys that top_k and two_stage_top_k keep; rows that the linformer makes");
  f.integer("window", window, {0, 1 << 20}, Role::result,
            "of window, causal_window and dilated: steps to either side");
  f.integer("dilation", dilation, {1, 1 << 20}, Role::result, "of dilated: rows of a step");
  f.integer("block", block, {1, 1 << 20}, Role::result, "rows of a block");
  f.integer("n_features", n_features, {1, 65536}, Role::result, "of performer");
  f.real("seconds", seconds, {0.001, 3600.0}, Role::operation, "how long it is measured");
}

void OpCostKind::fields(FieldList& f) { f.group("op_cost", cost_, "what is measured"); }

std::vector<std::string> OpCostKind::recorded() const {
  return {"count/scores", "time/total",  "time/forward",   "time/backward", "memory/total",
          "time/score",   "time/select", "time/normalise", "time/value"};
}

void OpCostKind::run(const Trial& trial, const KindOptions& options, RunContext& context) {
  const OpCostOptions& o = static_cast<const OpCostKind&>(options).cost_;
  Recorder& recorder = context.recorder;
  recorder.restore();
  Subject subject(o, trial.seed);
  std::vector<double> forward, backward, total;
  std::size_t scratch = 0;
  context.threads.run([&] {
    for (int i = 0; i < kWarmUp; ++i) subject.pass(o.backward);
    subject.set_profile(context.profile);
    const double end = now() + o.seconds;
    while (now() < end || total.size() < kLeast) {
      const auto [to, fro] = subject.pass(o.backward);
      forward.push_back(to);
      backward.push_back(fro);
      total.push_back(to + fro);
      if (context.profile) context.profile->end_step();
    }
    subject.set_profile(nullptr);
    scratch = Scratch().high_water();
  });
  recorder.measure("time/total", "s", median(total));
  recorder.measure("time/forward", "s", median(forward));
  if (o.backward) recorder.measure("time/backward", "s", median(backward));
  recorder.measure("memory/total", "B", static_cast<double>(subject.memory() + scratch));
  if (subject.exact()) measure_parts(subject, o.seconds / 4, recorder);
  recorder.content().final.push_back(
      {"count", "scores", subject.scores(), "1", "minimize", "exact, of a forward pass"});
}

const Kind op_cost_kind{"op_cost", "measures what an op costs: time, memory, and exact counts",
                        [] { return std::unique_ptr<KindOptions>(std::make_unique<OpCostKind>()); },
                        &OpCostKind::run};

}  // namespace attune
