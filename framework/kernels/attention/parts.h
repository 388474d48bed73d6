#pragma once

#include <array>
#include <cmath>
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
#include "kernels/attention/pattern_causal_window.h"
#include "kernels/attention/pattern_dilated.h"
#include "kernels/attention/pattern_edges.h"
#include "kernels/attention/pattern_full.h"
#include "kernels/attention/pattern_window.h"
#include "kernels/attention/score_additive.h"
#include "kernels/attention/score_dot.h"

// The lists of attention's parts: by kind its enumerators, what they are called in configs and by
// `attune op`, and in the same order what they compute. A new part is a file beside its like, and
// its name in the three lists of its kind.
namespace attune::kernels {

template <class Part>
struct Word {
  std::string_view word;
  Part part;
};

enum class Score : int { scaled_dot, dot, additive, cosine };
inline constexpr std::array score_words{
    Word<Score>{"scaled_dot", Score::scaled_dot},
    Word<Score>{"dot", Score::dot},
    Word<Score>{"additive", Score::additive},
    Word<Score>{"cosine", Score::cosine},
};

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
  bool product;  // scale · q · k and no more, which the tiled driver can do as well
};
template <class Real>
inline constexpr std::array score_parts{
    ScorePart<Real>{dot_key_factor, dot_scores, dot_gradient_of_strip, dot_gradient_of_keys, true},
    ScorePart<Real>{dot_key_factor, dot_scores, dot_gradient_of_strip, dot_gradient_of_keys, true},
    ScorePart<Real>{additive_key_factor, additive_scores, additive_gradient_of_strip,
                    additive_gradient_of_keys, false},
    // Of unit queries and keys, which attention_heads.cpp makes.
    ScorePart<Real>{dot_key_factor, dot_scores, dot_gradient_of_strip, dot_gradient_of_keys, true},
};

enum class Bias : int { none, alibi, alibi_2d, relative, given };
inline constexpr std::array bias_words{
    Word<Bias>{"none", Bias::none},         Word<Bias>{"alibi", Bias::alibi},
    Word<Bias>{"alibi_2d", Bias::alibi_2d}, Word<Bias>{"relative", Bias::relative},
    Word<Bias>{"given", Bias::given},
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

enum class Pattern : int { full, causal, window, causal_window, dilated, block, edges };
inline constexpr std::array pattern_words{
    Word<Pattern>{"full", Pattern::full},
    Word<Pattern>{"causal", Pattern::causal},
    Word<Pattern>{"window", Pattern::window},
    Word<Pattern>{"causal_window", Pattern::causal_window},
    Word<Pattern>{"dilated", Pattern::dilated},
    Word<Pattern>{"block", Pattern::block},
    Word<Pattern>{"edges", Pattern::edges},
};

struct PatternPart {
  KeySet (*keys)(const Sight&, Index query);
  bool joined;  // its keys have no gaps, and neighbours share most of them
  bool causal;  // no key stands behind its query
};
inline constexpr std::array pattern_parts{
    PatternPart{full_keys, true, false},     PatternPart{causal_keys, true, true},
    PatternPart{window_keys, true, false},   PatternPart{causal_window_keys, true, true},
    PatternPart{dilated_keys, false, false}, PatternPart{block_keys, true, false},
    PatternPart{edge_keys, false, false},
};

enum class Select : int { all, top_k, two_stage_top_k };  // computed in select_*.h
inline constexpr std::array select_words{
    Word<Select>{"all", Select::all},
    Word<Select>{"top_k", Select::top_k},
    Word<Select>{"two_stage_top_k", Select::two_stage_top_k},
};

enum class Normaliser : int { softmax, sparsemax, entmax15 };
inline constexpr std::array normaliser_words{
    Word<Normaliser>{"softmax", Normaliser::softmax},
    Word<Normaliser>{"sparsemax", Normaliser::sparsemax},
    Word<Normaliser>{"entmax15", Normaliser::entmax15},
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

template <class Part, std::size_t n>
constexpr std::string_view word_of(const std::array<Word<Part>, n>& words, Part part) {
  for (const auto& word : words)
    if (word.part == part) return word.word;
  return "?";
}

// The scale where none is given: 1/√d_k for scaled_dot, else 1.
inline double default_scale(Score score, Index d_k) {
  return score == Score::scaled_dot ? 1 / std::sqrt(static_cast<double>(d_k)) : 1;
}

}  // namespace attune::kernels
