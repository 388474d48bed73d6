#include "datasets/dataset_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/hash.h"
#include "h5/h5.h"

namespace attune {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class DatasetFileTest : public testing::Test {
 protected:
  DatasetFileTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              fmt::format("attune-{}-{}-{}", test->test_suite_name(), test->name(), getpid());
    fs::create_directories(folder_);
  }
  ~DatasetFileTest() override { fs::remove_all(folder_); }
  std::string path(const char* name = "data.h5") const { return (folder_ / name).string(); }

  fs::path folder_;
};

// Images of 2 × 3, 1 × 4 and 3 × 1 pixels, which count up from 0.
ImageTable small_table() {
  ImageTable table;
  table.height = {2, 1, 3};
  table.width = {3, 4, 1};
  table.label = {0, 1, 0};
  table.group = {7, 7, 9};
  table.class_names = {"healthy", "ill"};
  return table;
}

void write_small(const std::string& path, const ImageTable& table = small_table()) {
  DatasetFileWriter writer(path, table);
  std::uint8_t next = 0;
  for (Index i = 0; i < table.size(); ++i) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(table.n_pixels(i)));
    std::iota(pixels.begin(), pixels.end(), next);
    next = static_cast<std::uint8_t>(next + pixels.size());
    writer.append(View<const std::uint8_t>(pixels.data(), {table.n_pixels(i)}));
  }
  writer.finish();
}

// The same content as somebody with h5py writes it: 64-bit integers, no attribute, no chunks.
using Columns = std::map<std::string, std::vector<Index>>;
Columns small_columns() {
  return {{"height", {2, 1, 3}},
          {"width", {3, 4, 1}},
          {"label", {0, 1, 0}},
          {"group", {7, 7, 9}},
          {"offsets", {0, 6, 10, 13}}};
}
void write_by_hand(const std::string& path, const Columns& columns,
                   const std::function<void(H5Group&)>& more = {}, bool pixels = true) {
  H5File file = H5File::create(path);
  for (const auto& [name, values] : columns) file.root().write(name, values);
  if (pixels) {
    std::vector<std::uint8_t> values(13);
    std::iota(values.begin(), values.end(), std::uint8_t{0});
    file.root().write("pixels", values);
  }
  if (more) more(file.root());
  file.close();
}
void write_names(H5Group& root) { root.write_texts("class_names", {"healthy", "ill"}); }

TEST_F(DatasetFileTest, WhatIsWrittenIsRead) {
  ImageTable table = small_table();
  table.split = {0, 1, 2};
  table.spacing = {0.5F, 0.7F, NAN, NAN, 1, 1};
  write_small(path(), table);
  EXPECT_THAT(dataset_file_faults(path()), IsEmpty());

  const DatasetFile file(path());
  EXPECT_EQ(file.table().height, table.height);
  EXPECT_EQ(file.table().width, table.width);
  EXPECT_EQ(file.table().label, table.label);
  EXPECT_EQ(file.table().group, table.group);
  EXPECT_EQ(file.table().split, table.split);
  EXPECT_EQ(file.table().class_names, table.class_names);
  EXPECT_EQ(file.table().spacing[1], 0.7F);
  EXPECT_TRUE(std::isnan(file.table().spacing[2]));
  std::vector<float> pixels(4);
  file.read_pixels(1, pixels.data());
  EXPECT_THAT(pixels, ElementsAre(6, 7, 8, 9));
  EXPECT_EQ(file.moments(1).sum, 30);
  EXPECT_EQ(file.moments(1).squares, 36 + 49 + 64 + 81);
}

TEST_F(DatasetFileTest, RealPixelsKeepTheirBits) {
  ImageTable table = small_table();
  table.pixel_type = PixelType::float32;
  table.height = {1};
  table.width = {3};
  table.label = {0};
  table.group = {0};
  const std::vector<float> written = {-1024.25F, 0.1F, 3e30F};
  {
    DatasetFileWriter writer(path(), table);
    writer.append(View<const float>(written.data(), {3}));
    writer.finish();
  }
  std::vector<float> read(3);
  DatasetFile(path()).read_pixels(0, read.data());
  EXPECT_EQ(read, written);
}

// The definition in dataset_file.h, spelled out byte by byte.
TEST_F(DatasetFileTest, TheContentHashIsWhatTheContractSays) {
  write_small(path());
  std::string bytes = "attune.dataset@1 images\nclass_names\nhealthy\nill\n";
  const auto column = [&](const char* name, std::initializer_list<char> values) {
    bytes += std::string(name) + "\n";
    for (char v : values) bytes += std::string{v, 0, 0, 0};
  };
  column("height", {2, 1, 3});
  column("width", {3, 4, 1});
  column("label", {0, 1, 0});
  column("group", {7, 7, 9});
  bytes += "pixels\n";
  for (char v = 0; v < 13; ++v) bytes += v;
  EXPECT_EQ(DatasetFile(path()).sha256(), sha256(bytes));
}

TEST_F(DatasetFileTest, TheHashKnowsContentNotLayout) {
  write_small(path());
  write_by_hand(path("hand.h5"), small_columns(), write_names);
  EXPECT_THAT(dataset_file_faults(path("hand.h5")), IsEmpty());
  EXPECT_EQ(DatasetFile(path("hand.h5")).sha256(), DatasetFile(path()).sha256());
}

TEST_F(DatasetFileTest, GroupsAndClassNamesMayBeAbsent) {
  Columns columns = small_columns();
  columns.erase("group");
  write_by_hand(path(), columns);
  const DatasetFile file(path());
  EXPECT_THAT(file.table().group, ElementsAre(0, 1, 2));
  EXPECT_THAT(file.table().class_names, ElementsAre("0", "1"));
}

TEST_F(DatasetFileTest, AWriterThatIsNotFinishedLeavesNothing) {
  {
    DatasetFileWriter writer(path(), small_table());
    const std::vector<std::uint8_t> pixels(6);
    writer.append(View<const std::uint8_t>(pixels.data(), {6}));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(DatasetFileTest, EqualContentGivesEqualBytes) {
  write_small(path("a.h5"));
  write_small(path("b.h5"));
  const auto bytes = [&](const char* name) {
    std::ifstream file(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  EXPECT_EQ(bytes("a.h5"), bytes("b.h5"));
}

// Every fault is one sentence that names the file and the dataset.
struct Fault {
  const char* title;
  std::function<void(Columns&)> change;
  const char* sentence;
};
class FaultyColumns : public DatasetFileTest, public testing::WithParamInterface<Fault> {};

TEST_P(FaultyColumns, AreNamed) {
  Columns columns = small_columns();
  GetParam().change(columns);
  write_by_hand(path(), columns, write_names);
  EXPECT_THAT(dataset_file_faults(path()), ElementsAre(path() + ": " + GetParam().sentence));
  EXPECT_THROW(DatasetFile{path()}, DataError);
}

INSTANTIATE_TEST_SUITE_P(
    All, FaultyColumns,
    testing::Values(
        Fault{"NoWidth", [](Columns& c) { c.erase("width"); },
              "there is no dataset /width; images need pixels, offsets, height, width and label"},
        Fault{"ShortLabels",
              [](Columns& c) {
                c["label"] = {0, 1};
              },
              "/label has shape [2] and must be [3]"},
        Fault{"OffsetsWithoutEnd",
              [](Columns& c) {
                c["offsets"] = {0, 6, 10};
              },
              "/offsets has shape [3] and must be [4]"},
        Fault{"NegativeHeight",
              [](Columns& c) {
                c["height"] = {2, -1, -3};
              },
              "/height[1] is -1 and must be at least 1 (1 more are not)"},
        Fault{"ZeroWidth",
              [](Columns& c) {
                c["width"] = {0, 4, 1};
              },
              "/width[0] is 0 and must be at least 1"},
        Fault{"LabelBeyondNames",
              [](Columns& c) {
                c["label"] = {0, 2, 0};
              },
              "/label[1] is 2 and must be 0 … 1, an index into /class_names"},
        Fault{"StrangeSplit",
              [](Columns& c) {
                c["split"] = {0, 1, 3};
              },
              "/split[2] is 3 and must be 0 (train), 1 (val), 2 (test) or -1 (none)"},
        Fault{"OffsetsFromOne",
              [](Columns& c) {
                c["offsets"] = {1, 6, 10, 13};
              },
              "/offsets[0] is 1 and must be 0"},
        Fault{"OffsetsDecrease",
              [](Columns& c) {
                c["offsets"] = {0, 10, 6, 13};
              },
              "/offsets[0] to [1] go from 0 to 10, and image 0 has 2 × 3 = 6 pixels"},
        Fault{"OffsetsOverflow",
              [](Columns& c) {
                c["offsets"] = {0, 6, std::numeric_limits<Index>::min(), 13};
              },
              "/offsets[1] to [2] go from 6 to -9223372036854775808, and image 1 has 1 × 4 = 4 "
              "pixels"},
        Fault{"ExtentDiffers",
              [](Columns& c) {
                c["height"] = {2, 1, 4};
              },
              "/offsets[2] to [3] go from 10 to 13, and image 2 has 4 × 1 = 4 pixels"},
        Fault{"BeyondThePixels",
              [](Columns& c) {
                c["offsets"] = {0, 6, 10, 14};
                c["height"] = {2, 1, 4};
              },
              "/offsets ends at 14 and /pixels has 13 values"}),
    [](const auto& param) { return std::string(param.param.title); });

TEST_F(DatasetFileTest, AllFaultsAreNamedAtOnce) {
  Columns columns = small_columns();
  columns["height"] = {0, 1, 3};
  columns["label"] = {0, 5, 0};
  columns["split"] = {9, 0, 0};
  write_by_hand(path(), columns, write_names);
  EXPECT_THAT(dataset_file_faults(path()),
              ElementsAre(HasSubstr("/height"), HasSubstr("/split"), HasSubstr("/label")));
}

TEST_F(DatasetFileTest, WrongTypesAreNamed) {
  Columns columns = small_columns();
  columns.erase("label");
  write_by_hand(
      path(), columns,
      [](H5Group& root) {
        root.write("pixels", std::vector<double>(13));
        root.write_texts("label", {"a", "b", "c"});
      },
      false);
  EXPECT_THAT(dataset_file_faults(path()),
              ElementsAre(HasSubstr("/pixels holds float64 and must hold uint8 or float32"),
                          HasSubstr("/label holds text and must hold integers")));
}

TEST_F(DatasetFileTest, NaNPixelsAreNamedByImage) {
  std::vector<float> values(13);
  values[7] = std::numeric_limits<float>::quiet_NaN();
  write_by_hand(
      path(), small_columns(), [&](H5Group& root) { root.write("pixels", values); }, false);
  EXPECT_THAT(dataset_file_faults(path()),
              ElementsAre(HasSubstr("/pixels of image 1 hold NaN or infinity")));
}

TEST_F(DatasetFileTest, AHashThatDoesNotFitTheContentIsNamed) {
  write_by_hand(path(), small_columns(),
                [](H5Group& root) { root.set_attribute("sha256", std::string(64, '0')); });
  EXPECT_THAT(dataset_file_faults(path()), ElementsAre(HasSubstr("attribute sha256 is '000")));
}

TEST_F(DatasetFileTest, AnotherSchemaOrKindIsNamed) {
  write_by_hand(path(), small_columns(), [](H5Group& root) {
    root.set_attribute("schema", "attune.run@1");
    root.set_attribute("kind", "tokens");
  });
  EXPECT_THAT(dataset_file_faults(path()),
              ElementsAre(HasSubstr("'attune.run@1' and must be 'attune.dataset@1'"),
                          HasSubstr("'tokens' and must be 'images'")));
}

// 2^50 values cost a hostile file nothing as long as no chunk is written.
TEST_F(DatasetFileTest, AClaimedSizeTakesNoMemory) {
  Columns columns;
  columns["height"] = columns["width"] = {1 << 25};
  columns["label"] = {0};
  columns["offsets"] = {0, Index{1} << 50};
  write_by_hand(
      path(), columns, [](H5Group& root) { root.create_stream<std::uint8_t>("pixels"); }, false);
  EXPECT_THAT(dataset_file_faults(path()), ElementsAre(HasSubstr("/offsets ends at")));
}

TEST_F(DatasetFileTest, FilesThatAreNoHdf5GiveOneSentence) {
  write_small(path("good.h5"));
  std::ifstream good(path("good.h5"), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(good), {});
  const auto faults_of = [&](const std::string& content) {
    std::ofstream(path(), std::ios::binary) << content;
    return dataset_file_faults(path());
  };
  EXPECT_THAT(faults_of(""), ElementsAre(HasSubstr(path())));
  EXPECT_THAT(faults_of("height,width\n3,4\n"), ElementsAre(HasSubstr(path())));
  for (std::size_t size = 1; size < bytes.size(); size += bytes.size() / 23 + 1)
    EXPECT_THAT(faults_of(bytes.substr(0, size)), testing::Not(IsEmpty())) << size;
  EXPECT_THAT(dataset_file_faults(path("none.h5")), ElementsAre(HasSubstr("none.h5")));
}

// Any single byte may be wrong: the reader answers, whatever it is.
TEST_F(DatasetFileTest, FlippedBytesNeverCrash) {
  write_small(path("good.h5"));
  std::ifstream good(path("good.h5"), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(good), {});
  // In a process of its own: a crash is seen as one, and what HDF5 1.10 loses on the way out of its
  // errors goes with it.
  const int child = fork();
  if (child == 0) {
    for (std::size_t at = 0; at < bytes.size(); at += 11) {
      std::string bad = bytes;
      bad[at] = static_cast<char>(bad[at] ^ 0xff);
      std::ofstream(path(), std::ios::binary) << bad;
      EXPECT_NO_THROW(dataset_file_faults(path())) << at;
    }
    _exit(HasFailure() ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace attune
