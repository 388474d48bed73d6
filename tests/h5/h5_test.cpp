#include "h5/h5.h"

#include <gmock/gmock.h>
#include <hdf5.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class H5 : public testing::Test {
 protected:
  H5() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("attune-h5-{}-{}", info->name(), ::getpid());
    std::filesystem::create_directories(folder_);
  }
  ~H5() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name = "a.h5") const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}
std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Extremes of each type, in a group, through gzip, shuffle and Fletcher-32 and back.
TEST_F(H5, EveryElementTypeReturnsAsItWasWritten) {
  H5File out = H5File::create(path());
  H5Group group = out.root().create_group("deep");
  const auto write = [&]<class T>(const char* name, T) {
    group.write(name, std::vector<T>{std::numeric_limits<T>::lowest(), T(0), T(7),
                                     std::numeric_limits<T>::max()});
  };
  write("float", 0.F), write("double", 0.), write("int8", std::int8_t{}),
      write("uint8", std::uint8_t{});
  write("int32", std::int32_t{}), write("int64", std::int64_t{}), write("uint64", std::uint64_t{});
  out.close();

  const H5File in = H5File::open(path());
  const auto check = [&]<class T>(const char* name, T) {
    EXPECT_THAT(
        in.root().read<T>(std::string("deep/") + name),
        ElementsAre(std::numeric_limits<T>::lowest(), T(0), T(7), std::numeric_limits<T>::max()));
  };
  check("float", 0.F), check("double", 0.), check("int8", std::int8_t{}),
      check("uint8", std::uint8_t{});
  check("int32", std::int32_t{}), check("int64", std::int64_t{}), check("uint64", std::uint64_t{});
}

TEST_F(H5, TextsKeepTheirUtf8AndTheirEmptyOnes) {
  H5File out = H5File::create(path());
  out.root().write_text("yaml", "a: ∇\n");
  out.root().write_texts("names", {"bb", "", "naïve"});
  out.root().set_attribute("list", std::vector<std::string>{"x", "yy"});
  out.root().set_attribute("empty", "");
  out.close();
  const H5File in = H5File::open(path());
  EXPECT_EQ(in.root().read_text("yaml"), "a: ∇\n");
  EXPECT_THAT(in.root().read_texts("names"), ElementsAre("bb", "", "naïve"));
  EXPECT_THAT(in.root().text_list_attribute("list"), ElementsAre("x", "yy"));
  EXPECT_EQ(in.root().text_attribute("empty"), "");
}

TEST_F(H5, AttributesAndMembersKeepTheOrderOfTheirMaking) {
  H5File out = H5File::create(path());
  for (const char* name : {"z", "a", "m"}) {
    out.root().set_attribute(name, Index{1});
    out.root().write_scalar(name, 1.0);
  }
  out.close();
  const H5File in = H5File::open(path());
  EXPECT_THAT(in.root().attributes(), ElementsAre("z", "a", "m"));
  std::vector<std::string> names;
  for (const H5Entry& e : in.root().entries()) names.push_back(e.name);
  EXPECT_THAT(names, ElementsAre("z", "a", "m"));
}

// Blocks of 3, 0 and 40,000 rows cross many chunks.
TEST_F(H5, AStreamHoldsTheRowsOfItsBlocksInOrder) {
  std::vector<float> rows(2 * 40003);
  std::iota(rows.begin(), rows.end(), 0.F);
  H5File out = H5File::create(path());
  H5Stream<float> stream = out.root().create_stream<float>("x", {2});
  stream.append(rows.data(), 3);
  stream.append(rows.data(), 0);
  stream.append(rows.data() + 6, 40000);
  EXPECT_EQ(stream.size(), 40003);
  out.close();
  const H5File in = H5File::open(path());
  EXPECT_THAT(in.root().info("x").dims, ElementsAre(40003, 2));
  EXPECT_EQ(in.root().read<float>("x"), rows);
  float two_rows[4];
  in.root().read_rows("x", 40001, 2, two_rows);
  EXPECT_THAT(two_rows, ElementsAre(80002, 80003, 80004, 80005));
  EXPECT_THAT([&] { in.root().read_rows("x", 40002, 2, two_rows); },
              ThrowsMessage<DataError>(HasSubstr("no rows 40002 to 40003")));
}

// HDF5 itself would clip 300 to 255 and say nothing.
TEST_F(H5, AnIntegerThatDoesNotFitIsAnErrorWithItsPlaceAndValue) {
  H5File out = H5File::create(path());
  out.root().write("n", std::vector<Index>{1, 300});
  out.root().write("negative", std::vector<std::int32_t>{-1});
  out.close();
  const H5File in = H5File::open(path());
  EXPECT_THAT(
      [&] { in.root().read<std::uint8_t>("n"); },
      ThrowsMessage<DataError>(HasSubstr("a.h5: /n: element 1 is 300, which does not fit uint8")));
  EXPECT_THROW(in.root().read<std::uint64_t>("negative"), DataError);
  EXPECT_THAT(in.root().read<std::int32_t>("n"), ElementsAre(1, 300));
  EXPECT_THAT(in.root().read<double>("n"), ElementsAre(1, 300));
}

TEST_F(H5, TextIsNotReadAsNumbersNorRealsAsIntegers) {
  H5File out = H5File::create(path());
  out.root().write("x", std::vector<float>{1});
  out.root().write_text("t", "1");
  out.close();
  const H5File in = H5File::open(path());
  EXPECT_THAT([&] { in.root().read<Index>("x"); },
              ThrowsMessage<DataError>(HasSubstr("/x: holds float32, where integers are needed")));
  EXPECT_THAT([&] { in.root().read<double>("t"); },
              ThrowsMessage<DataError>(HasSubstr("/t: holds text, where numbers are needed")));
  EXPECT_THAT([&] { in.root().read_text("x"); },
              ThrowsMessage<DataError>(HasSubstr("where text is needed")));
  EXPECT_THAT([&] { in.root().read<double>("y"); },
              ThrowsMessage<DataError>(HasSubstr("a.h5: /y: is missing")));
}

TEST_F(H5, ZeroLengthsAndScalarsAreStoredAndRead) {
  H5File out = H5File::create(path());
  out.root().write("none", std::vector<double>{});
  out.root().write<float>("no_columns", {3, 0}, nullptr);
  out.root().write_scalar("one", 2.5);
  out.root().write_texts("no_texts", {});
  out.close();
  const H5File in = H5File::open(path());
  EXPECT_TRUE(in.root().read<double>("none").empty());
  EXPECT_THAT(in.root().info("no_columns").dims, ElementsAre(3, 0));
  EXPECT_EQ(in.root().read_scalar<double>("one"), 2.5);
  EXPECT_TRUE(in.root().read_texts("no_texts").empty());
}

void write_sample(H5File& file) {
  H5Group g = file.root().create_group("g");
  g.write("step", std::vector<Index>{10, 20});
  g.make_scale("step");
  for (const char* name : {"loss", "lr", "accuracy"}) {
    g.write(name, std::vector<double>{1, 2});
    g.attach_scale(name, 0, "step");
    g.set_attribute("units", "1", name);
  }
}

// Made in memory, between allocations of other sizes whose bytes would show in padding.
TEST_F(H5, EqualCallsGiveEqualBytes) {
  std::string first;
  for (std::size_t junk : {1, 16, 24, 48, 4096}) {
    std::vector<std::string> noise(junk, std::string(junk, 'x'));
    noise.clear();
    H5File file = H5File::create_in_memory("memory");
    write_sample(file);
    const std::string image = file.image();
    if (first.empty()) first = image;
    EXPECT_EQ(image, first);
  }
  spill(path(), first);
  EXPECT_THAT(H5File::open(path()).root().read<Index>("g/step"), ElementsAre(10, 20));
}

TEST_F(H5, AnAttachedScaleIsOneForHdf5Too) {
  H5File out = H5File::create(path());
  write_sample(out);
  out.close();
  const hid_t file = H5Fopen(path().c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t loss = H5Dopen2(file, "g/loss", H5P_DEFAULT),
              step = H5Dopen2(file, "g/step", H5P_DEFAULT);
  hobj_ref_t to_step;
  ASSERT_GE(H5Rcreate(&to_step, file, "g/step", H5R_OBJECT, -1), 0);
  const hid_t list = H5Aopen(loss, "DIMENSION_LIST", H5P_DEFAULT);
  const hid_t type = H5Aget_type(list);
  hvl_t axis;
  ASSERT_GE(H5Aread(list, type, &axis), 0);
  ASSERT_EQ(axis.len, 1U);
  EXPECT_EQ(*static_cast<hobj_ref_t*>(axis.p), to_step);
  std::free(axis.p);
  EXPECT_GT(H5Aexists(step, "REFERENCE_LIST"), 0);
  H5Tclose(type), H5Aclose(list), H5Dclose(loss), H5Dclose(step), H5Fclose(file);
}

// --- hostile files

TEST_F(H5, WhatIsNoHdf5FileIsSaidToBeNone) {
  EXPECT_THAT([&] { H5File::open(path()); },
              ThrowsMessage<DataError>(HasSubstr("a.h5: there is no such file")));
  EXPECT_THAT([&] { H5File::open(folder_.string()); },
              ThrowsMessage<DataError>(HasSubstr("is not a file")));
  spill(path(), "");
  EXPECT_THAT([&] { H5File::open(path()); },
              ThrowsMessage<DataError>(HasSubstr("is no HDF5 file (0 bytes)")));
  spill(path(), "label,group\n1,2\n");
  EXPECT_THAT([&] { H5File::open(path()); },
              ThrowsMessage<DataError>(HasSubstr("is no HDF5 file (16 bytes)")));
}

TEST_F(H5, AFileCutAnywhereIsRefusedOrReadsAsDamaged) {
  H5File out = H5File::create_in_memory("memory");
  out.root().write("x", std::vector<double>(500, 1.5));
  const std::string whole = out.image();
  for (std::size_t bytes = 0; bytes < whole.size(); bytes += 97) {
    spill(path(), whole.substr(0, bytes));
    EXPECT_THROW(H5File::open(path()).root().read<double>("x"), DataError) << bytes;
  }
}

// The pixel values are what the file is for: Fletcher-32 finds a flipped bit in them.
TEST_F(H5, AFlippedBitInAChunkIsFound) {
  H5File out = H5File::create(path());
  out.root().write("x", std::vector<double>(500, 1.5), {.chunk = {}, .compress = false});
  out.close();
  std::string bytes = slurp(path());
  const double value = 1.5;
  const std::size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&value), 8));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 801] = static_cast<char>(bytes[at + 801] ^ 4);
  spill(path(), bytes);
  EXPECT_THAT([&] { H5File::open(path()).root().read<double>("x"); },
              ThrowsMessage<DataError>(HasSubstr("/x: cannot be read")));
}

// 2^45 doubles, never written: HDF5 would hand out fill values until memory ends.
TEST_F(H5, AnAbsurdExtentIsRefusedBeforeMemoryIsTaken) {
  const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t dims[] = {hsize_t{1} << 45}, chunk[] = {hsize_t{1} << 28};
  const hid_t space = H5Screate_simple(1, dims, nullptr), list = H5Pcreate(H5P_DATASET_CREATE);
  H5Dclose(H5Dcreate2(file, "plain", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, list, H5P_DEFAULT));
  H5Pset_chunk(list, 1, chunk);
  H5Dclose(H5Dcreate2(file, "chunked", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, list, H5P_DEFAULT));
  H5Pclose(list), H5Sclose(space), H5Fclose(file);
  const H5File in = H5File::open(path());
  EXPECT_THAT([&] { in.root().read<double>("plain"); },
              ThrowsMessage<DataError>(HasSubstr("more than its file can hold")));
  EXPECT_THAT([&] { in.root().info("chunked"); },
              ThrowsMessage<DataError>(HasSubstr("one chunk of it takes")));
}

TEST_F(H5, LinksAndDataOutsideTheFileAreRefusedByName) {
  spill(path("secret"), std::string(80, 's'));
  const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external(path("secret.h5").c_str(), "/x", file, "external", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/elsewhere", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t dims[] = {10};
  const hid_t space = H5Screate_simple(1, dims, nullptr), list = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(list, path("secret").c_str(), 0, 80);
  H5Dclose(H5Dcreate2(file, "raw", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, list, H5P_DEFAULT));
  H5Pclose(list), H5Sclose(space), H5Fclose(file);
  const H5File in = H5File::open(path());
  EXPECT_THAT([&] { in.root().read<double>("external"); },
              ThrowsMessage<DataError>(
                  HasSubstr("/external: is, or lies behind, a soft or external link")));
  EXPECT_THAT([&] { in.root().read<double>("soft/x"); },
              ThrowsMessage<DataError>(HasSubstr("/soft/x: is, or lies behind")));
  EXPECT_THAT([&] { in.root().read<double>("raw"); },
              ThrowsMessage<DataError>(HasSubstr("keeps its data in other files")));
  EXPECT_FALSE(in.root().has("external"));
}

TEST_F(H5, WritingWhereNothingCanBeWrittenSaysWhy) {
  EXPECT_THAT([&] { H5File::create(path("none/a.h5")); },
              ThrowsMessage<StorageError>(HasSubstr("No such file or directory")));
  H5File out = H5File::create(path());
  out.root().write_scalar("x", 1.0);
  EXPECT_THAT([&] { out.root().write_scalar("x", 1.0); },
              ThrowsMessage<StorageError>(HasSubstr("/x: cannot be created")));
}

}  // namespace
}  // namespace attune
