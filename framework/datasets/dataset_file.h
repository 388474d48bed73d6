#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/view.h"

namespace attune {

// `attune.dataset@1`, images (other kinds have headers of their own, such as token_file.h). Of n
// images:
//   /pixels [total] uint8 or float32, image after image, row-major    /offsets [n+1] their starts
//   /height /width [n] pixels     /label [n], an index into /class_names [c] text
//   /group [n], what is split together     /split [n] 0 train, 1 val, 2 test
//   /spacing [n, 2] mm from row to row and from column to column, NaN where unknown
// with the attributes schema, kind ("images") and sha256. group (default: each image is its own,
// 0 … n−1), class_names (default: "0", "1", …), split, spacing and the attributes may be absent;
// what is there must be right. Integers may be of any integer type that fits into int32.
//
// sha256 is over the text "attune.dataset@1 images\n" and then, for class_names, height, width,
// label, group, split, spacing, pixels in this order: name, newline, values as little-endian bytes:
// class names in UTF-8, each ended by a newline; integers as int32; spacing as float32; pixels as
// they are. Absent columns count as their defaults, absent split and spacing are left out. Layout,
// compression and integer types do not enter.

// What is known of n examples of any kind. Columns have n values; split may be empty, and so may
// label and class_names where a kind allows it.
struct ExampleColumns {
  std::vector<std::int32_t> label, group, split;
  std::vector<std::string> class_names;
};

enum class PixelType { uint8, float32 };

// All that is known of the images but their pixels; spacing may be empty.
struct ImageTable : ExampleColumns {
  PixelType pixel_type = PixelType::uint8;
  std::vector<std::int32_t> height, width;
  std::vector<float> spacing;  // [n, 2]
  Index size() const { return static_cast<Index>(height.size()); }
  Index n_pixels(Index i) const {
    return Index{height[static_cast<std::size_t>(i)]} * width[static_cast<std::size_t>(i)];
  }
};

// Of a dataset file to be written (h5/output.h): ConfigError where it may not be, or is something
// else than a dataset already.
void check_dataset_output(const std::string& path, const std::vector<std::string>& inputs);

// Writes a dataset file image by image, under a temporary name beside it. finish() renames it into
// place; without it nothing is left. Memory: one image.
class DatasetFileWriter {
 public:
  // A group or class_names left empty takes its default.
  DatasetFileWriter(const std::string& path, ImageTable table);
  ~DatasetFileWriter();
  // The next image's pixels, of the table's type and size; DataError where one is NaN or infinite.
  void append(View<const std::uint8_t> pixels);
  void append(View<const float> pixels);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A dataset file that is open and whole: opening checks everything that dataset_file_faults does,
// which takes one pass over the pixels. Thread-safe.
class DatasetFile {
 public:
  // DataError with every fault, a line each.
  explicit DatasetFile(const std::string& path);
  ~DatasetFile();

  const ImageTable& table() const;
  const std::string& sha256() const;  // of the content as it is
  // Pixels as they stand in the file; out [height · width].
  void read_pixels(Index i, float* out) const;
  // Sum and sum of squares of an image's pixels.
  struct Moments {
    double sum = 0, squares = 0;
  };
  Moments moments(Index i) const;

 private:
  friend std::vector<std::string> dataset_file_faults(const std::string& path);
  struct State;
  std::unique_ptr<State> state_;
};

// Told by what it holds: /answer_tokens, /tokens, /x, /x with /indptr, or else images.
enum class DatasetKind { images, tokens, vectors, graphs, pairs };
DatasetKind dataset_kind(const std::string& path);

// All that is wrong with a dataset file of its kind, a sentence each naming file and dataset; none
// when it is right. Never throws on a file's content, whatever it is.
std::vector<std::string> dataset_file_faults(const std::string& path);

}  // namespace attune
