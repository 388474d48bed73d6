#pragma once

#include <span>

#include "study/study_config.h"

namespace attune {

// `schema: attune/ablation@1`: rows against a reference on the same seeds and splits, so that they
// are paired.
//   base     the reference, or what it is made from (study_file.h)
//   factors  {factor: {level: {dotted key: value}}}: what a level changes
//   design   leave_one_out (default): the base is the row `reference`, and each level a row
//            factor.level, which changes that alone
//            add_one_in: the same, and the reference is the base as `from: {dotted key: value}`
//            changes it: what the levels add to
//            factorial: besides the reference a row factor.level,factor.level,… for every
//            combination of a level of each factor; `reference: {factor: level, …}` says which of
//            them is the reference instead of the base
// Errors are InvalidConfig, all at once.
Study load_ablation(const LoadOptions& load, std::span<const Kind> kinds);

}  // namespace attune
