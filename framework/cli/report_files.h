#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "study/report.h"

namespace attune {

// Reports for programs and papers; numbers with all their digits.

// A metric of a row: mean, interval, the seeds' values.
Json metric_json(const RowOutcome& row, const RowOutcome::Metric& metric);
Json claims_json(const StudyReport& report);
Json comparisons_json(const std::vector<Comparison>& comparisons);
Json report_json(const StudyReport& report);

// A line a row and metric.
std::string report_csv(const StudyReport& report);
std::string comparisons_csv(const std::vector<Comparison>& comparisons);

// One tabular in the manner of booktabs.
std::string report_tex(const StudyReport& report);
std::string comparisons_tex(const std::vector<Comparison>& comparisons);
// \claimBeatsPixels and, with Estimate, Interval, N and Verdict behind it, its parts: what a paper
// says of a claim then is what its study says.
std::string claims_tex(const StudyReport& report);

// Writes report.md, report.json, table.tex and claims.tex into the study's folder.
void write_report(const StudyReport& report);

}  // namespace attune
