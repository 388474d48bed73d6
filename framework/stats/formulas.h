#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace attune {

// Closed forms that a claim may compare a measurement with (expect: {formula: NAME, with: {…},
// tolerance: t}); docs/statistics.md has their sources.
struct Formula {
  std::string name, doc;
  std::vector<std::string> arguments;
  double (*value)(const std::map<std::string, double>& arguments);
};

// Every formula, in the order in which they are listed.
const std::vector<Formula>& formulas();

// None where there is no such formula, an argument is missing or one too many, or it has no value
// there; then `why` is a phrase that follows "formula=NAME ".
std::optional<double> formula_value(const std::string& name,
                                    const std::map<std::string, double>& arguments,
                                    std::string& why);

}  // namespace attune
