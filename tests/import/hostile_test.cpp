// What damaged and hostile files may do: give one DataError that names them. Never a crash, a hang,
// a file, a word on the terminal, or pixels that were made up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <random>

#include "base/error.h"
#include "import/child.h"
#include "import/decode.h"
#include "import/import.h"
#include "import/source.h"
#include "tests/import/image_files.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct Sample {
  std::string name, bytes;
};

std::string metaimage(const std::string& sizes, const std::string& pixels,
                      const std::string& more = "") {
  return "ObjectType = Image\nNDims = 3\nDimSize = " + sizes + "\n" + more +
         "ElementType = MET_FLOAT\nElementDataFile = LOCAL\n" + pixels;
}

std::string nrrd(const std::string& sizes, const std::string& encoding, const std::string& pixels) {
  return "NRRD0004\ntype: float\ndimension: 3\nsizes: " + sizes +
         "\nendian: little\nencoding: " + encoding + "\n\n" + pixels;
}

// One of each format, small, of values that do not compress away.
std::vector<Sample> samples(float fill = 0.5F) {
  std::mt19937 random(7);
  std::vector<float> reals(2 * 5 * 7);
  for (float& x : reals) x = static_cast<float>(random() % 1000) / 7;
  reals[33] = fill;
  std::vector<std::int16_t> shorts(70);
  for (auto& x : shorts) x = static_cast<std::int16_t>(random() % 2000);
  std::vector<std::uint8_t> bytes(35);
  for (auto& x : bytes) x = static_cast<std::uint8_t>(random());
  const std::string raw = bytes_of(reals);
  const NiftiFile volume{.sizes = {7, 5, 2}, .pixels = raw};
  return {{"a.png", gray_png(5, 7, bytes)},
          {"b.jpg", jpeg(5, 7, 1, bytes)},
          {"c.dcm", dicom({.height = 5, .width = 7, .n_frames = 2, .pixels = bytes_of(shorts)})},
          {"d.nii", nifti(volume)},
          {"e.nii.gz", gzip(nifti(volume))},
          {"f.nii", nifti({.version = 2, .sizes = {7, 5, 2}, .pixels = raw})},
          {"g.mha", metaimage("7 5 2", raw)},
          {"h.mha", metaimage("7 5 2", zlib(raw), "CompressedData = True\n")},
          {"i.nrrd", nrrd("7 5 2", "raw", raw)},
          {"j.nrrd", nrrd("7 5 2", "gzip", gzip(raw))}};
}

class HostileTest : public testing::Test {
 protected:
  HostileTest() {
    fs::create_directories(folder_.path() / "src");
    options_.source = folder_ / "src";
    options_.output = folder_ / "out.h5";
    options_.labels = folder_ / "labels.csv";
  }
  void add(const std::string& name, const std::string& bytes) {
    write_file(folder_ / ("src/" + name), bytes);
    label(name);
  }
  void label(const std::string& name) { labels_ += name + ",x\n"; }
  std::string failure() {
    write_file(options_.labels, labels_);
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    std::string message = "nothing was thrown";
    try {
      import_images(options_);
    } catch (const DataError& error) {
      message = error.what();
      EXPECT_EQ(error.code(), ExitCode::usage);
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 2)
        << "something was written";
    return message;
  }

  TestFolder folder_;
  ImportOptions options_;
  std::string labels_ = "file,label\n";
};

// Ten places a format, from nothing to all but one byte.
TEST_F(HostileTest, CutFilesOfEveryFormatAreAllNamed) {
  std::vector<std::string> names;
  for (const Sample& sample : samples())
    for (std::size_t cut = 0; cut < 10; ++cut) {
      const std::size_t last = sample.bytes.size() - 1;
      names.push_back(fmt::format("{}{}", cut, sample.name));
      add(names.back(), sample.bytes.substr(0, last * cut / 9));
    }
  const std::string message = failure();
  EXPECT_THAT(message.substr(0, 60), HasSubstr("100 of 100 images"));
  std::string not_named;
  for (const std::string& name : names)
    if (message.find("/" + name) == message.npos) not_named += name + " ";
  EXPECT_EQ(not_named, "");
}

TEST_F(HostileTest, WholeFilesOfEveryFormatAreRead) {
  for (const Sample& sample : samples()) add(sample.name, sample.bytes);
  write_file(options_.labels, labels_);
  testing::internal::CaptureStderr();
  EXPECT_EQ(import_images(options_).table.size(), 18);  // two of one slice, eight of two
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(HostileTest, NotANumberAndInfinityAreRefused) {
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF})
    for (const Sample& sample : samples(bad))
      if (sample.name > "d") add(fmt::format("{}{}", bad, sample.name), sample.bytes);
  EXPECT_THAT(failure(), HasSubstr("21 of 21 images"));
}

TEST_F(HostileTest, AbsurdSizesAreRefusedBeforeMemoryIsTaken) {
  add("a.png", png(60000, 60000, 8, PngColour::gray, "", 1));
  add("b.nii", nifti({.sizes = {32767, 32767, 32767}, .pixels = "few"}));
  add("c.nii.gz", gzip(nifti({.sizes = {32767, 32767, 32767, 32767}, .pixels = "few"})));
  add("d.nii", nifti({.version = 2, .sizes = {1L << 62, 1L << 62}, .pixels = "few"}));
  add("e.dcm", dicom({.height = 65535, .width = 65535, .n_frames = 1000000, .pixels = "few."}));
  add("f.nrrd", nrrd("4294967296 4294967296 4", "raw", "few"));
  add("g.nrrd", nrrd("1e300 1e300 1e300", "gzip", gzip("few")));
  add("h.mha", metaimage("99999 99999 99999", "few"));
  add("i.jpg", [] {  // 65500 × 65500 in the frame's header
    std::string bytes = jpeg(8, 8, 1, std::vector<std::uint8_t>(64, 9));
    return bytes.replace(bytes.find("\xff\xc0") + 5, 4, "\xff\xdc\xff\xdc");
  }());
  EXPECT_THAT(failure(), HasSubstr("9 of 9 images"));
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  EXPECT_LT(used.ru_maxrss, 1 << 20) << "KiB, in any child so far";
}

TEST_F(HostileTest, SizesOfZeroOrLessAreRefused) {
  add("a.png", png(0, 5, 8, PngColour::gray, "", 1));
  add("b.nii", nifti({.sizes = {0, 5}, .pixels = "few"}));
  add("c.nii", nifti({.sizes = {5, -5}, .pixels = std::string(400, 'x')}));
  add("d.dcm", dicom({.height = 0, .pixels = "few."}));
  add("e.nrrd", nrrd("0 1 1", "raw", "few."));
  add("f.mha", metaimage("-1 1 1", "few."));
  add("g.nrrd", nrrd("1.5 1 1", "raw", "few and more"));
  EXPECT_THAT(failure(), HasSubstr("7 of 7 images"));
}

// Libraries abort on these without a word.
TEST_F(HostileTest, HeadersThatAreCutOrCannotBeAreToldInWords) {
  add("a.png", gray_png(3, 5, std::vector<std::uint8_t>(15)).substr(0, 8));
  add("b.png", png(0, 5, 8, PngColour::gray, "", 1));
  add("c.png", png(0x7fffffff, 0x7fffffff, 8, PngColour::gray, "", 1));
  add("d.dcm", dicom({.pixels = "ab"}).substr(0, 132));
  EXPECT_THAT(failure(), AllOf(HasSubstr("a.png is damaged: its first chunk is no whole IHDR"),
                               HasSubstr("b.png has no pixels"),
                               HasSubstr("2147483647 x 2147483647 pixels, which its"),
                               HasSubstr("d.dcm is damaged: its decoder stopped (Aborted), as it "
                                         "does where a file is cut off")));
}

// 64 MiB of zeros behind the pixels, in 64 KiB.
TEST_F(HostileTest, CompressedDataThatGoesOnIsRefused) {
  const std::string zeros(64U << 20U, '\0');
  add("a.nii.gz", gzip(nifti({.sizes = {2, 2}, .pixels = zeros})));
  add("b.nrrd", nrrd("2 2 1", "gzip", gzip(zeros)));
  EXPECT_THAT(failure(), AllOf(HasSubstr("2 of 2 images"), HasSubstr("goes on behind")));
}

// 300 MiB of zeros before the pixels; and a stream without its end.
TEST_F(HostileTest, DeflatedDicomIsBoundedAndWhole) {
  DicomFile file{.pixels = "ab", .syntax = "1.2.840.10008.1.2.1.99"};
  const std::string whole = dicom(file);
  add("cut.dcm", whole.substr(0, whole.size() - 3));
  file.before_pixels = dicom_element(0x29, 0x1010, "OB", std::string(300U << 20U, '\0'));
  add("bomb.dcm", dicom(file));
  EXPECT_THAT(failure(),
              AllOf(HasSubstr("2 of 2 images"), HasSubstr("bomb.dcm is damaged: it inflates"),
                    HasSubstr("cut.dcm is damaged: its compressed data ends")));
}

TEST_F(HostileTest, WhatIsNoFileIsNeitherOpenedNorFollowed) {
  const std::string in = options_.source + "/";
  fs::create_directory(in + "folder.png");
  ASSERT_EQ(mkfifo((in + "pipe.dcm").c_str(), 0600), 0);
  fs::create_symlink("loop2.png", in + "loop1.png");
  fs::create_symlink("loop1.png", in + "loop2.png");
  fs::create_symlink("nowhere", in + "lost.png");
  fs::create_directory_symlink("..", in + "up");
  for (const char* name : {"folder.png", "pipe.dcm", "loop1.png", "lost.png", "up/labels.csv"})
    label(name);
  const std::string message = failure();
  EXPECT_THAT(message, HasSubstr("5 rows name what is no file"));
  for (const char* name : {"folder.png", "pipe.dcm", "loop1.png", "lost.png", "up/labels.csv"})
    EXPECT_THAT(message, HasSubstr(name));
}

TEST_F(HostileTest, AFolderThatMayNotBeReadIsNamed) {
  fs::create_directories(folder_ / "src/x");
  fs::create_directories(folder_ / "src/y/deep");
  fs::permissions(folder_.path(), fs::perms::all);
  fs::permissions(folder_ / "src/y/deep", fs::perms::none);
  const pid_t child = fork();  // in a process that is not root
  if (child == 0) {
    const bool is_nobody = geteuid() != 0 || setuid(65534) == 0;
    try {
      files_below(folder_ / "src");
    } catch (const DataError& error) {
      _exit(is_nobody && std::string(error.what()) ==
                             (folder_ / "src/y/deep") + " cannot be read: Permission denied"
                ? 0
                : 1);
    }
    _exit(2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  fs::permissions(folder_ / "src/y/deep", fs::perms::all);
}

TEST_F(HostileTest, TextAndNothingAndWhatCannotBeReadAreNamed) {
  add("text.dcm", "not an image");
  add("empty.png", "");
  // Memory at address 0: opens, and fails to read, also for root.
  fs::create_symlink("/proc/self/mem", options_.source + "/memory.jpg");
  label("memory.jpg");
  EXPECT_THAT(failure(), AllOf(HasSubstr("3 of 3 images"), HasSubstr("text.dcm is no image"),
                               HasSubstr("empty.png is no image"), HasSubstr("memory.jpg")));
}

// Bits and bytes changed at random places: an error that names the file, or finite pixels.
TEST_F(HostileTest, ChangedBytesNeitherCrashNorHang) {
  std::mt19937 random(2026);
  const std::string path = folder_ / "changed";
  for (const Sample& sample : samples()) {
    for (int round = 0; round < 40; ++round) {
      std::string bytes = sample.bytes;
      const std::size_t header =
          std::min<std::size_t>(bytes.size(), round % 2 ? 128 : bytes.size());
      for (unsigned change = 0; change <= random() % 3; ++change)
        bytes[random() % header] = static_cast<char>(round % 4 < 2 ? random() : 0xff);
      write_file(path, bytes);
      const auto start = std::chrono::steady_clock::now();
      try {
        const FileHeader read = read_header(path);
        read_slices(path, read, [](Slice& slice) {
          for (const float x : slice.gray) ASSERT_TRUE(std::isfinite(x));
        });
      } catch (const DataError& error) {
        EXPECT_THAT(error.what(), HasSubstr(path));
      }
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << sample.name;
    }
  }
}

TEST(ChildStream, CrashesAndExceptionsOfAChildAreErrorsOfItsFile) {
  const auto message = [](const std::function<void(const ChildStream::Sink&)>& work) {
    try {
      ChildStream child("x.dcm", work);
      char byte = 0;
      child.read(&byte, 1);
      child.finish();
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(message([](const auto&) { abort(); }), HasSubstr("x.dcm is damaged"));
  EXPECT_THAT(message([](const auto&) { throw 1; }), HasSubstr("x.dcm is damaged"));
  EXPECT_EQ(message([](const auto&) { throw DataError("told"); }), "told");
  EXPECT_THAT(message([](const auto&) {}), HasSubstr("x.dcm is damaged"));
  EXPECT_THAT(message([](const auto& sink) { sink("ab", 2); }), HasSubstr("did not end well"));
  EXPECT_EQ(message([](const auto& sink) { sink("a", 1); }), "none");
}

}  // namespace
}  // namespace attune
