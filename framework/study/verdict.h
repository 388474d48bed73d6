#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stats/interval.h"
#include "study/claim.h"
#include "study/replicates.h"

namespace attune {

enum class Verdict { supported, contradicted, undecided, incomplete };
const char* name_of(Verdict verdict);

// What the trials say of a claim.
struct Judgement {
  Verdict verdict = Verdict::incomplete;
  std::string reason;  // beside the verdict: "sign only", why it is undecided
  Index n = 0;         // replicates that count
  std::optional<double> estimate;
  std::optional<Interval> interval;    // at 1 − alpha/m, which decides
  std::optional<Interval> interval95;  // 95 %
  double level = 0.95;                 // of `interval`
  std::string over = "seeds";          // what the interval holds for, in words
  std::optional<double> group_share;   // of the variance, where it is crossed
  std::optional<double> correlation;   // of pairs
  std::optional<double> p;             // two-sided, of a difference of 0
  std::vector<Index> seeds;            // whose values these are
  std::vector<double> values;
  std::vector<std::string> remarks;  // what a reader must know beside: dropped seeds, curvature, …
};

struct JudgeOptions {
  double alpha = 0.05;
  Index family = 1;       // m: intervals that decide are at 1 − alpha/m
  RunsOf chosen_by;       // what at: own_best chooses by
  RunsOf judged_on;       // what is read then
  bool same_runs = true;  // whether these two are of the same seeds
};
Judgement judge(const Claim& claim, const JudgeOptions& options);

}  // namespace attune
