#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "h5/h5.h"
#include "storage/run_content.h"

namespace attune {

// What run files and evaluations are both made of.

// Scales of axes without coordinates: "/size_64" of the root, made on first use.
class SizeScales {
 public:
  explicit SizeScales(H5Group& root) : root_(root) {}
  // `nth` tells equal axes of one array apart.
  std::string operator()(Index size, std::ptrdiff_t nth = 1);

 private:
  H5Group& root_;
  std::set<std::string> made_;
};

// What a file says that it is, "attune.run@1"; empty where it says nothing.
std::string schema_of(const H5Group& root);

// Elements of an array.
std::size_t count(const Dims& dims);
// StorageError unless they are as many as the dimensions say.
void check_size(const H5Group& group, std::string_view name, std::size_t has, std::size_t needs);
// An attribute; an empty text is left out, because it tells a reader nothing.
void set_text(H5Group& group, const char* name, const std::string& value,
              std::string_view path = "");

std::string text_or_empty(const H5Group& group, std::string_view name, std::string_view path = "");

// A list of names as an attribute of the root; left out when empty. An attribute has room for a few
// thousand texts: more of them are one text, a list in JSON.
void write_names(H5Group& root, const char* attribute, const std::vector<std::string>& names);
std::vector<std::string> read_names(const H5Group& root, const char* attribute);

// What the two writers below have written, read again.
std::vector<FinalMetric> read_finals(const H5Group& final);
Predictions read_predictions(const H5Group& split);

// <split>_<name>, a scalar with split, metric, units, goal, how. Returns its name.
std::string write_final(H5Group& final, const FinalMetric& metric);
// <split>/: example (the dimension), group, target, output [example, size_<n>].
void write_predictions(H5Group& predictions, const std::string& split, const Predictions& p,
                       SizeScales& sizes);

}  // namespace attune
