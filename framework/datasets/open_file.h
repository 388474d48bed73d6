#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "datasets/dataset_file.h"

// What the options of all kinds of data from files have in common. `what` is "image" or "images",
// for errors.
namespace attune {

// The rule of the key `file`.
std::optional<Complaint> require_name(const std::optional<std::string>& file);

// Empty where it may be a dataset file; what is in it, the reader says.
std::string why_no_dataset(const std::string& path);

// A dataset file as it was when it was first opened and hashed: the trials of all seeds and folds
// read that content.
template <class File>
class KeptFile {
 public:
  // read() gives a shared_ptr. KeyedDataError at data.file, with how such a file is made where
  // there is none.
  template <class Read>
  std::shared_ptr<const File> open(const std::optional<std::string>& file,
                                   const std::string& how_made, const Read& read) const {
    ATTUNE_CHECK(file, DataError, "data.file must name a dataset file; {}", how_made);
    if (const std::string what = why_no_dataset(*file); !what.empty())
      throw KeyedDataError({"data.file", what, how_made, {}});
    if (kept_ && path_ == *file) return kept_;
    try {
      kept_ = read();
    } catch (const DataError& error) {
      throw KeyedDataError(
          {"data.file", error.what(), "`attune check` says so of any dataset file", {}});
    }
    path_ = *file;
    return kept_;
  }

 private:
  mutable std::shared_ptr<const File> kept_;
  mutable std::string path_;
};

// A model cannot learn a name that nothing has; a file may list it, for a model that knows it.
void require_every_class(const std::string& path, const ExampleColumns& columns, const char* what);

// The place of each example's class among the classes that a model knows. DataError names those
// that it does not.
std::vector<Index> labels_by_name(const std::string& path, const ExampleColumns& columns,
                                  const std::vector<std::string>& known, const char* what);

}  // namespace attune
