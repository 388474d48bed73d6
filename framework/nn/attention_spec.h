#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "kernels/attention.h"
#include "tensor/packed.h"

namespace attune {

// What attention computes, as settings: score (+ bias) → pattern → select → normaliser → value,
// each named as in the op and docs/attention.md, and what is done to heads before and after. In a
// config it is the group `attention`, whose `kind` picks the keys that it has:
//   exact      softmax's like over pairs of query and key
//   linear     features elu + 1 (Katharopoulos et al. 2020)
//   performer  positive orthogonal random features of softmax (Choromanski et al. 2021)
//   linformer  exact, over keys and values projected to k rows (Wang et al. 2020)
struct AttentionSpec {
  enum class Values { per_head, shared };
  enum class Norm { none, rms, layer };
  // Of the scores. shared: 1/√ of the geometric mean of head widths, the one factor with which
  // their scores, of standard deviation √d_h, are 1 in the mean of their logarithms.
  struct Scale {
    enum class Kind { automatic, number, learned, shared };
    Kind kind = Kind::automatic;
    double number = 1.0;
  };
  // Of cosines: fixed, or where a learned one begins (10 as in Swin v2, Liu et al. 2022).
  struct Gain {
    bool learned = false;
    double number = 10.0;
  };
  // What one head says, times a number: for experiments with a head that shouts.
  struct HeadGain {
    Index head = 0;
    double gain = 1.0;
    void fields(FieldList& f);
  };

  std::string kind = "exact";

  std::vector<Index> head_widths;  // columns of each head; empty: d_model / n_heads each
  Index n_kv_heads = 0;            // 0: n_heads
  Values values = Values::per_head;
  Norm qk_norm = Norm::none, output_norm = Norm::none;
  HeadGain head_gain;

  kernels::Score score = {};  // scaled_dot
  Scale scale;
  Gain gain;
  kernels::Bias bias = {};  // none
  Index max_distance = 16;
  kernels::Pattern pattern = {};       // full
  std::optional<Index> window, block;  // patterns that want them must be given them
  Index dilation = 2;
  kernels::Select select = {};          // all
  std::optional<Index> k;               // keys that select keeps; rows that linformer projects to
  kernels::Normaliser normaliser = {};  // softmax
  double temperature = 1.0;
  double dropout = 0.0;

  Index n_features = 64;            // performer
  std::optional<Index> max_length;  // linformer

  // For fields.variant("attention", spec.kind, spec.alternatives(), doc).
  std::vector<FieldVariant::Alternative> alternatives();
  // What is wrong with these heads in a layer of n_heads over d columns; keys are relative to what
  // holds the group `attention`.
  std::optional<Complaint> complaint(Index d, Index n_heads) const;
  // Columns of each head of such a layer, which there are.
  std::vector<Index> widths(Index d, Index n_heads) const {
    if (!head_widths.empty()) return head_widths;
    return std::vector<Index>(static_cast<std::size_t>(n_heads), d / n_heads);
  }
  // Whether it asks where in a grid a token stands: a 2-D bias.
  bool needs_grid() const;
  // What keeps it from such rows: edges where there are none. The key is "attention.pattern".
  std::optional<Complaint> misfit(const RowSpec& spec) const;

 private:
  void head_fields(FieldList& f, bool any_width);
  void score_fields(FieldList& f);
  void exact_fields(FieldList& f);
  void linear_fields(FieldList& f);
  void performer_fields(FieldList& f);
  void linformer_fields(FieldList& f);
};

}  // namespace attune
