// docs/data.md tells people how to write a dataset file: its tables are held to the checker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/text.h"
#include "datasets/dataset_file.h"
#include "datasets/pair_file.h"
#include "datasets/token_file.h"
#include "datasets/vector_file.h"
#include "h5/h5.h"

namespace attune {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

struct Column {
  std::string shape, type;
  bool required = false;
};

using Columns = std::map<std::string, Column>;

// The rows "| `/name` | shape | type | required or optional | …" below the heading "### kind".
Columns documented(const std::string& kind) {
  std::ifstream page(ATTUNE_SOURCE_DIR "/docs/data.md");
  Columns columns;
  bool here = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("#")) here = line == "### " + kind;
    if (!here || !line.starts_with("| `/")) continue;
    const auto cells = split(line, '|');
    const std::string name(trim(cells.at(1)));
    EXPECT_THAT(trim(cells.at(4)), testing::AnyOf("required", "optional")) << line;
    columns[name.substr(2, name.size() - 3)] = {
        std::string(trim(cells[2])), std::string(trim(cells[3])), trim(cells[4]) == "required"};
  }
  return columns;
}

// Two examples of two values with the named columns alone, in the documented shapes and types.
void write(const std::string& path, const Columns& columns) {
  H5File file = H5File::create(path);
  H5Group& root = file.root();
  for (const auto& [name, column] : columns) {
    if (column.type == "text") {
      root.write_texts(name, {"a", "b"});
    } else if (column.type.starts_with("real") || column.shape == "[n, 2]") {  // of vectors d is 2
      root.write(name, {2, 2}, std::vector<double>(4, 0.5).data());
    } else if (name == "graph_offsets") {  // one graph of two nodes, which have the labels
      root.write(name, std::vector<std::int64_t>{0, 2});
    } else if (name == "indptr") {
      root.write(name, std::vector<std::int64_t>{0, 1, 2});
    } else if (name == "indices") {
      root.write(name, std::vector<std::int32_t>{1, 0});
    } else if (name == "tokens" || name == "answer_tokens") {
      root.write(name, std::vector<std::int32_t>{0, 1, 1, 0});
    } else if (column.shape == "[total]") {
      root.write(name, std::vector<std::uint8_t>{1, 2, 3, 4});
    } else if (column.shape == "[n+1]") {
      root.write(name, std::vector<std::int64_t>{0, 2, 4});
    } else {
      const std::int32_t value = name == "height" ? 2 : name == "width" ? 1 : 0;
      root.write(name, std::vector<std::int32_t>{value, value});
    }
  }
}

class DataPage : public testing::Test {
 protected:
  DataPage()
      : path_(std::filesystem::temp_directory_path() / fmt::format("attune-page-{}.h5", getpid())) {
  }
  ~DataPage() override { std::filesystem::remove(path_); }
  std::vector<std::string> faults(const Columns& columns) const {
    std::filesystem::remove(path_);
    write(path_, columns);
    return dataset_file_faults(path_);
  }
  void expect_all_named(const std::string& kind) const {
    const Columns columns = documented(kind);
    const H5File file = H5File::open(path_);
    const auto entries = file.root().entries();
    EXPECT_EQ(entries.size(), columns.size()) << kind;
    for (const H5Entry& entry : entries) EXPECT_TRUE(columns.contains(entry.name)) << entry.name;
  }
  std::string path_;
};

constexpr const char* kKinds[] = {"images", "tokens", "pairs", "vectors", "graphs"};

TEST_F(DataPage, AFileOfAllThatItNamesIsRight) {
  for (const char* kind : kKinds) {
    EXPECT_FALSE(documented(kind).empty()) << kind;
    EXPECT_THAT(faults(documented(kind)), IsEmpty()) << kind;
  }
}

TEST_F(DataPage, WhatItCallsOptionalMayBeAbsentAndWhatItCallsRequiredMayNot) {
  for (const char* kind : kKinds)
    for (const auto& [name, column] : documented(kind)) {
      Columns others = documented(kind);
      others.erase(name);
      // Without these the file is of another kind, which lacks other datasets.
      const bool tells_kind = name == "tokens" || name == "x";
      if (name == "indptr") continue;  // and without it, right vectors
      EXPECT_EQ(faults(others).empty(), !column.required) << name;
      if (column.required && !tells_kind) {
        EXPECT_THAT(faults(others), Contains(HasSubstr("no dataset /" + name))) << kind;
      }
    }
}

TEST_F(DataPage, ItNamesAllThatIsWritten) {
  ImageTable table;
  table.height = table.width = {1};
  table.label = table.group = table.split = {0};
  table.class_names = {"a"};
  table.spacing = {1, 1};
  {
    DatasetFileWriter writer(path_, table);
    const std::uint8_t pixel = 7;
    writer.append(View<const std::uint8_t>(&pixel, {1}));
    writer.finish();
  }
  expect_all_named("images");
  TokenTable tokens;
  static_cast<ExampleColumns&>(tokens) = table;
  tokens.tokens = {0};
  tokens.offsets = {0, 1};
  write_token_file(path_, tokens);
  expect_all_named("tokens");
  PairTable pairs;
  pairs.input = pairs.answer = tokens;
  pairs.split = {0};
  write_pair_file(path_, pairs);
  expect_all_named("pairs");
  VectorTable vectors;
  static_cast<ExampleColumns&>(vectors) = table;
  vectors.width = 1;
  vectors.x = {0};
  vectors.feature_names = {"a"};
  write_vector_file(path_, vectors);
  expect_all_named("vectors");
}

}  // namespace
}  // namespace attune
