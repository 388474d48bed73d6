#pragma once

#include <span>

#include "study/study_config.h"

namespace attune {

// Whether a study's file says that it is an ablation. Errors in it are not told.
bool is_ablation(const LoadOptions& load);

// `schema: attune/ablation@1`: rows against a reference on the same seeds and splits, so that they
// are paired.
//   base     an experiment: a path relative to the file, or its keys; what it has of name, doc,
//            baselines and claims is not taken
//   factors  {factor: {level: {dotted key: value}}}: what a level changes of the base
//   design   leave_one_out (default): the base is the row `reference`, and each level a row
//            factor.level, which changes that alone
//            factorial: besides the reference a row factor.level,factor.level,… for every
//            combination of a level of each factor
// with name, doc, seeds and metrics, which win over the base's. Overrides of the command line go to
// the base, but for these, and for study.KEY=… . Errors are InvalidConfig, all at once.
Study load_ablation(const LoadOptions& load, std::span<const Kind> kinds);

}  // namespace attune
