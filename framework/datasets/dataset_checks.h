#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datasets/dataset_file.h"
#include "h5/h5.h"

namespace attune {

// Checks a file's datasets one after the other; a fault is a sentence, and ends what depends on it.
class DatasetChecker {
 public:
  // `needs` ends the sentence about a dataset that is missing: "images need pixels, …".
  DatasetChecker(const std::string& path, const H5Group& root, std::string needs,
                 std::vector<std::string>& faults)
      : path_(path), root_(root), needs_(std::move(needs)), faults_(faults) {}

  bool good() const { return faults_.empty(); }
  std::size_t n_faults() const { return faults_.size(); }

  template <class... Args>
  void fault(fmt::format_string<Args...> text, Args&&... args) {
    faults_.push_back(path_ + ": " + fmt::format(text, std::forward<Args>(args)...));
  }

  void attribute_is(const char* name, const std::string& expected, const char* advice) {
    if (!root_.has_attribute(name)) return;
    const std::string value = root_.text_attribute(name);
    if (value != expected)
      fault("attribute {} is '{}' and must be '{}': {}", name, value, expected, advice);
  }

  // The dataset's shape, when it is there and right. A size of −1 may be any.
  std::optional<H5Info> shape(const char* name, const Dims& expected, bool required) {
    if (!root_.has_dataset(name)) {
      if (required) fault("there is no dataset /{}; {}", name, needs_);
      return std::nullopt;
    }
    const H5Info info = root_.info(name);
    bool fits = info.dims.size() == expected.size();
    for (std::size_t d = 0; fits && d < expected.size(); ++d)
      fits = expected[d] < 0 || info.dims[d] == expected[d];
    if (fits) return info;
    fault("/{} has shape {} and must be {}", name, text(info.dims), text(expected));
    return std::nullopt;
  }

  template <class T>
  std::vector<T> column(const char* name, const Dims& expected, bool required) {
    const auto info = shape(name, expected, required);
    if (!info) return {};
    if (std::is_integral_v<T> && !is_integer(info->type)) {
      fault("/{} holds {} and must hold integers", name, name_of(info->type));
      return {};
    }
    return root_.read<T>(name);
  }

  // One sentence for all values of a column that break a rule.
  template <class T, class Rule>
  void each(const char* name, const std::vector<T>& values, const char* allowed, const Rule& rule) {
    std::size_t bad = 0, first = 0;
    for (std::size_t i = values.size(); i-- > 0;)
      if (!rule(values[i])) {
        first = i;
        ++bad;
      }
    if (bad > 0)
      fault("/{}[{}] is {} and must be {}{}", name, first, values[first], allowed, others(bad - 1));
  }

  // label (unless it may be absent and is), group, split and class_names of n examples. What may be
  // absent has its default when all is right.
  void columns(Index n, bool labelled, ExampleColumns& columns);
  void distinct(const char* name, const std::vector<std::string>& texts);
  void content_is(const std::string& sha256) {
    attribute_is("sha256", sha256,
                 "the content was changed after it was written; write the file anew, or delete the "
                 "attribute if the change was meant");
  }

  static std::string others(std::size_t n) {
    return n == 0 ? "" : fmt::format(" ({} more are not)", n);
  }

 private:
  static std::string text(const Dims& dims) {
    std::string s = "[";
    for (std::size_t d = 0; d < dims.size(); ++d)
      s += (d ? ", " : "") +
           (dims[d] < 0 ? std::string(d == 0 ? "n" : "d") : std::to_string(dims[d]));
    return s + "]";
  }

  const std::string& path_;
  const H5Group& root_;
  std::string needs_;
  std::vector<std::string>& faults_;
};

// Opens a file and lets `read` check it. All faults; none when it is right.
std::vector<std::string> faults_of(
    const std::string& path, const std::string& needs,
    const std::function<void(DatasetChecker& check, const H5Group& root)>& read);

}  // namespace attune
