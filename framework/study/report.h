#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/outcome.h"
#include "study/registration.h"
#include "study/results.h"
#include "study/verdict.h"

namespace attune {

// A row against another on the same seeds, on one metric; exploratory.
struct Comparison {
  std::string row, against, metric;
  Judgement difference;
  std::optional<double> p_holm;  // corrected over all comparisons of the report
  std::string word;  // better | worse | undecided, where the metric has a goal; higher | lower
};

// All that a report tells.
struct StudyReport {
  struct JudgedClaim {
    Claim claim;
    Judgement judgement;
    Registration registration;
    Index family = 1;
    bool as_known() const;
  };
  std::string study, folder, doc;
  double alpha = 0.05;
  Index n_trials = 0, n_finished = 0, n_diverged = 0;
  Index n_builds = 0;
  std::vector<std::string> shown;  // metrics of the tables
  std::vector<RowOutcome> rows;    // with every metric of the finals
  std::vector<Comparison> comparisons;
  std::vector<JudgedClaim> claims;
};

// Of the trials in a study's folder. Comparisons are of each row with the reference, in the metrics
// that are shown; a sweep has none.
StudyReport report_of(const Study& study, const std::vector<Claim>& claims,
                      const std::vector<Trial>& trials, const StudyFolder& folder);

// Every row that two studies both have against itself in the other one, on the seeds of both; where
// they share no name and have one row each, these.
std::vector<Comparison> compare_studies(const Study& study, const Results& results,
                                        const Study& other, const Results& other_results,
                                        const std::vector<std::string>& metrics, double alpha);

}  // namespace attune
