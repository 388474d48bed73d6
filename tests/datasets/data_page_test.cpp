// docs/data.md tells people how to write a dataset file: its table is held to the checker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/text.h"
#include "datasets/dataset_file.h"
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

// The rows "| `/name` | shape | type | required or optional | …".
std::map<std::string, Column> documented() {
  std::ifstream page(ATTUNE_SOURCE_DIR "/docs/data.md");
  std::map<std::string, Column> columns;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| `/")) continue;
    const auto cells = split(line, '|');
    const std::string name(trim(cells.at(1)));
    EXPECT_THAT(trim(cells.at(4)), testing::AnyOf("required", "optional")) << line;
    columns[name.substr(2, name.size() - 3)] = {
        std::string(trim(cells[2])), std::string(trim(cells[3])), trim(cells[4]) == "required"};
  }
  return columns;
}

// Two images of 2 × 1 pixels with the named columns alone, in the documented shapes and types.
void write(const std::string& path, const std::map<std::string, Column>& columns) {
  H5File file = H5File::create(path);
  H5Group& root = file.root();
  for (const auto& [name, column] : columns) {
    if (column.type == "text") {
      root.write_texts(name, {"a", "b"});
    } else if (column.type.starts_with("real") || column.shape == "[n, 2]") {
      root.write(name, {2, 2}, std::vector<double>(4, 0.5).data());
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
  std::vector<std::string> faults(const std::map<std::string, Column>& columns) const {
    std::filesystem::remove(path_);
    write(path_, columns);
    return dataset_file_faults(path_);
  }
  std::string path_;
};

TEST_F(DataPage, AFileOfAllThatItNamesIsRight) { EXPECT_THAT(faults(documented()), IsEmpty()); }

TEST_F(DataPage, WhatItCallsOptionalMayBeAbsentAndWhatItCallsRequiredMayNot) {
  for (const auto& [name, column] : documented()) {
    auto others = documented();
    others.erase(name);
    EXPECT_EQ(faults(others).empty(), !column.required) << name;
    if (column.required) {
      EXPECT_THAT(faults(others), Contains(HasSubstr("no dataset /" + name)));
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
  const auto columns = documented();
  const H5File file = H5File::open(path_);
  const auto entries = file.root().entries();
  EXPECT_EQ(entries.size(), columns.size());
  for (const H5Entry& entry : entries) EXPECT_TRUE(columns.contains(entry.name)) << entry.name;
}

}  // namespace
}  // namespace attune
