#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include "kernels/attention.h"

// What attention's parts are called in configs and by `attune op`.
namespace attune::kernels {

template <class Part>
struct Word {
  std::string_view word;
  Part part;
};

inline constexpr std::array score_words{
    Word<Score>{"scaled_dot", Score::scaled_dot},
    Word<Score>{"dot", Score::dot},
    Word<Score>{"additive", Score::additive},
    Word<Score>{"cosine", Score::cosine},
};
inline constexpr std::array bias_words{
    Word<Bias>{"none", Bias::none},         Word<Bias>{"alibi", Bias::alibi},
    Word<Bias>{"alibi_2d", Bias::alibi_2d}, Word<Bias>{"relative", Bias::relative},
    Word<Bias>{"given", Bias::given},
};
inline constexpr std::array pattern_words{
    Word<Pattern>{"full", Pattern::full},     Word<Pattern>{"causal", Pattern::causal},
    Word<Pattern>{"window", Pattern::window}, Word<Pattern>{"dilated", Pattern::dilated},
    Word<Pattern>{"block", Pattern::block},   Word<Pattern>{"edges", Pattern::edges},
};
inline constexpr std::array select_words{
    Word<Select>{"all", Select::all},
    Word<Select>{"top_k", Select::top_k},
    Word<Select>{"two_stage_top_k", Select::two_stage_top_k},
};
inline constexpr std::array normaliser_words{
    Word<Normaliser>{"softmax", Normaliser::softmax},
    Word<Normaliser>{"sparsemax", Normaliser::sparsemax},
    Word<Normaliser>{"entmax15", Normaliser::entmax15},
};

// The scale where none is given: 1/√d_k for scaled_dot, else 1.
inline double default_scale(Score score, Index d_k) {
  return score == Score::scaled_dot ? 1 / std::sqrt(static_cast<double>(d_k)) : 1;
}

}  // namespace attune::kernels
