#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/document.h"
#include "study/study_config.h"

namespace attune {

// Which rows a claim is about: `reference`; {row: NAME}, a name or a list; or a map of factors and
// dotted keys to a value or a list. Several of these in one map hold together.
struct Selector {
  Origin at;
  std::string text;  // "optim.lr=0.001, model.norm=pre"; empty selects all rows
  bool reference = false;
  std::vector<std::pair<std::string, std::vector<std::string>>> where;  // key → any of these

  bool selects_all() const { return !reference && where.empty(); }
};

// What is wrong goes to the diagnostics: another form, a key or a factor that no row has, a value
// that none has.
Selector read_selector(const Node& node, const Study& study, Diagnostics& diagnostics);

// Both at once.
Selector both(const Selector& a, const Selector& b);

// The rows that a selector selects, in the order of the study.
std::vector<const Row*> selected(const Selector& selector, const Study& study);

// The level of a factor or the value of a key that a row has, as text; empty where it has none.
std::string value_in(const Row& row, const std::string& key);

}  // namespace attune
