#pragma once

#include <array>
#include <string_view>

#include "kernels/attention/bias_alibi.h"
#include "kernels/attention/bias_alibi_2d.h"
#include "kernels/attention/bias_given.h"
#include "kernels/attention/bias_none.h"
#include "kernels/attention/bias_relative.h"
#include "kernels/attention/normaliser_entmax15.h"
#include "kernels/attention/normaliser_softmax.h"
#include "kernels/attention/normaliser_sparsemax.h"
#include "kernels/attention/pattern_block.h"
#include "kernels/attention/pattern_causal.h"
#include "kernels/attention/pattern_dilated.h"
#include "kernels/attention/pattern_edges.h"
#include "kernels/attention/pattern_full.h"
#include "kernels/attention/pattern_window.h"
#include "kernels/attention/score_additive.h"
#include "kernels/attention/score_dot.h"
#include "kernels/attention/words.h"

// The lists of attention's parts, in the order of their enumerations in kernels/attention.h. A new
// part is a file beside its like, a word in words.h, and a line here.
namespace attune::kernels {

template <class Real>
struct ScorePart {
  // What keys are multiplied by where they are packed.
  double (*key_factor)(const AttentionOptions&);
  // s[r][t] of q's rows with the packed keys t in [begin, end) (packed_blocks.h).
  void (*scores)(const Head<Real>&, Rows<const Real> q, const Real* packed, Index begin, Index end,
                 Real* s, Index stride);
  // From scale · ds, of a joined strip and of one query's keys.
  void (*gradient_of_strip)(const Head<Real>&, const Strip&, const Real* ds,
                            const HeadGradient<Real>&);
  void (*gradient_of_keys)(const Head<Real>&, Index query, const KeySet&, const Real* ds,
                           const HeadGradient<Real>&);
};
template <class Real>
inline constexpr std::array score_parts{
    ScorePart<Real>{dot_key_factor, dot_scores, dot_gradient_of_strip, dot_gradient_of_keys},
    ScorePart<Real>{dot_key_factor, dot_scores, dot_gradient_of_strip, dot_gradient_of_keys},
    ScorePart<Real>{additive_key_factor, additive_scores, additive_gradient_of_strip,
                    additive_gradient_of_keys},
    // Of unit queries and keys, which attention_heads.cpp makes.
    ScorePart<Real>{dot_key_factor, dot_scores, dot_gradient_of_strip, dot_gradient_of_keys},
};

template <class Real>
struct BiasPart {
  void (*add)(const Head<Real>&, Index query, const KeySet&, Real* s);
  void (*gradient)(const Head<Real>&, Index query, const KeySet&, const Real* ds,
                   const HeadGradient<Real>&);
};
template <class Real>
inline constexpr std::array bias_parts{
    BiasPart<Real>{no_bias, no_bias_gradient},
    BiasPart<Real>{alibi_bias, no_bias_gradient},
    BiasPart<Real>{alibi_2d_bias, no_bias_gradient},
    BiasPart<Real>{relative_bias, relative_bias_gradient},
    BiasPart<Real>{given_bias, given_bias_gradient},
};

struct PatternPart {
  KeySet (*keys)(const Sight&, Index query);
  bool joined;  // its keys have no gaps, and neighbours share most of them
};
inline constexpr std::array pattern_parts{
    PatternPart{full_keys, true},   PatternPart{causal_keys, true},
    PatternPart{window_keys, true}, PatternPart{dilated_keys, false},
    PatternPart{block_keys, true},  PatternPart{edge_keys, false},
};

template <class Real>
struct NormaliserPart {
  // p [n] from z [n], which it must not overlap. The softmax's lse; else any number.
  Real (*weights)(const Real* z, Index n, Real inverse_temperature, Real* p);
  // dz += J dp / T; also where p and dp are those of the support alone.
  void (*jacobian)(const Real* p, const Real* dp, Index n, Real inverse_temperature, Real* dz);
  bool sparse;  // most weights may be 0 exactly
};
template <class Real>
inline constexpr std::array normaliser_parts{
    NormaliserPart<Real>{softmax_normaliser, softmax_jacobian, false},
    NormaliserPart<Real>{sparsemax_normaliser, sparsemax_jacobian, true},
    NormaliserPart<Real>{entmax15_normaliser, entmax15_jacobian, true},
};

template <class Parts, class Word>
constexpr const auto& part_of(const Parts& parts, Word word) {
  return parts[static_cast<std::size_t>(word)];
}

static_assert(score_parts<float>.size() == score_words.size());
static_assert(bias_parts<float>.size() == bias_words.size());
static_assert(pattern_parts.size() == pattern_words.size());
static_assert(normaliser_parts<float>.size() == normaliser_words.size());

}  // namespace attune::kernels
