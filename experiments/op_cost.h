#pragma once

#include "kernels/attention/parts.h"
#include "train/kind.h"

namespace attune {

// What is measured, of q, k and v drawn at random: [batch sequences of n rows, n_heads · d_head].
struct OpCostOptions {
  enum class Name { attention };
  // Whole attentions, each with what it is in place of the full one.
  enum class Attention {
    full,
    causal,
    window,
    causal_window,
    dilated,
    block,
    top_k,
    two_stage_top_k,
    sparsemax,
    entmax15,
    linear,
    performer,
    linformer
  };

  Name op = Name::attention;
  Attention attention = Attention::full;
  Index n = 1024, batch = 1, n_heads = 4, d_head = 32;
  bool backward = true;
  double dropout = 0;
  Index k = 32;           // top_k, two_stage_top_k; the linformer's rows
  Index window = 64;      // window, causal_window, dilated
  Index dilation = 2;     // dilated
  Index block = 64;       // block, and two_stage_top_k's blocks
  Index n_features = 64;  // performer
  double seconds = 0.5;   // how long it is measured

  void fields(FieldList& f);
};

// kind: op_cost. What an op costs, without a model: time is that of op alone, forward and, where
// asked for, backward, on data that stays the same; the first passes are not counted.
//   count/scores  of the run file, exact: scores that a forward pass forms (kernels/attention.h)
//   time/total, time/forward, time/backward  medians, s;  time/score, time/select,
//   time/normalise, time/value  what a forward pass spends on each on one thread, where attention
//   is exact;  memory/total  bytes that values, gradients and kernels held at the most; all of the
//   metadata
class OpCostKind : public KindOptions {
 public:
  void fields(FieldList& f) override;
  std::string data_sha256(Index, std::optional<Index>) const override { return {}; }
  std::vector<std::string> shown_metrics() const override { return {"count/scores"}; }
  std::vector<std::string> recorded() const override;

  static void run(const Trial& trial, const KindOptions& options, RunContext& context);

 private:
  OpCostOptions cost_;
};

extern const Kind op_cost_kind;

}  // namespace attune
