#pragma once

#include <string>
#include <vector>

#include "cli/console.h"
#include "study/pivot.h"
#include "study/report.h"

namespace attune {

// Reports for people. The tables of a text are cut to kMostRows rows, the best ones by the first
// metric; every other form has all.
inline constexpr std::size_t kMostRows = 40;

// Table of means, differences to the reference, claims.
std::string report_text(const StudyReport& report, const Output& out);
// The table of means alone.
std::string means_text(const StudyReport& report, const Output& out);
// The claims alone; empty where there are none.
std::string claims_text(const StudyReport& report, const Output& out);
// "paired by seed" tables of one study against another.
std::string comparisons_text(const std::vector<Comparison>& comparisons, std::size_t width);

std::string report_markdown(const StudyReport& report);
std::string comparisons_markdown(const std::vector<Comparison>& comparisons);

// A metric by two keys in one of the forms text, md, tex, csv and json.
std::string pivot_text(const PivotTable& table, const std::string& form, std::size_t width);

// "12 of 30 trials finished, 1 diverged, by 2 builds"
std::string standing_text(const StudyReport& report);
// ".012", "< .001"
std::string p_text(double p);
// "95.8 %"
std::string percent_text(double share);

}  // namespace attune
