#include "import/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "base/error.h"
#include "datasets/dataset_file.h"
#include "import/decode.h"
#include "import/source.h"
#include "tests/import/image_files.h"
#include "tests/import/test_folder.h"

#ifdef __SANITIZE_ADDRESS__
// What is freed shall count as free in the test of memory.
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=1"; }  // NOLINT
#endif

namespace attune {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using U8 = std::vector<std::uint8_t>;
using I16 = std::vector<std::int16_t>;

class ImportTest : public testing::Test {
 protected:
  ImportTest() {
    fs::create_directories(folder_.path() / "src" / "sub");
    options_.source = folder_ / "src";
    options_.output = folder_ / "out.h5";
    options_.labels = folder_ / "labels.csv";
  }

  void add(const std::string& name, const std::string& bytes) const {
    fs::create_directories(fs::path(folder_ / ("src/" + name)).parent_path());
    write_file(folder_ / ("src/" + name), bytes);
  }
  void add_flat(const std::string& name, std::uint8_t value = 200) const {
    add(name, gray_png(3, 5, U8(15, value)));
  }
  void add_slope(const std::string& name, std::uint8_t first) const {
    U8 pixels(6);
    for (std::size_t i = 0; i < 6; ++i) pixels[i] = static_cast<std::uint8_t>(first + i);
    add(name, gray_png(2, 3, pixels));
  }
  ImportReport run(const std::string& labels) const {
    write_file(options_.labels, labels);
    return import_images(options_);
  }
  // The message of an import that must fail and leave nothing.
  std::string failure(const std::string& labels) const {
    try {
      run(labels);
    } catch (const DataError& error) {
      EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), {}), 2)
          << "something was written";
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }
  ImageTable table() const { return DatasetFile(options_.output).table(); }
  std::vector<float> pixels(Index i) const {
    const DatasetFile file(options_.output);
    std::vector<float> out(static_cast<std::size_t>(file.table().n_pixels(i)));
    file.read_pixels(i, out.data());
    return out;
  }

  TestFolder folder_;
  ImportOptions options_;
};

TEST_F(ImportTest, FormatsAreToldByContentNotByName) {
  add_flat("a.jpg");
  add("sub/b.png", jpeg(8, 8, 1, U8(64, 100)));
  const ImportReport report = run("file,label,group\na.jpg,x,p\nsub/b.png,y,q\n");
  EXPECT_THAT(report_text(report), HasSubstr("2 images (1 JPEG, 1 PNG) as uint8"));
  EXPECT_THAT(pixels(0), Each(200));
  EXPECT_THAT(pixels(1), Each(100));
  EXPECT_THAT(table().class_names, ElementsAre("x", "y"));
  EXPECT_THAT(table().label, ElementsAre(0, 1));
  EXPECT_NE(table().group[0], table().group[1]);
  EXPECT_THAT(table().spacing, IsEmpty());
}

TEST_F(ImportTest, BytesAreKeptUnlessAnImageNeedsMore) {
  add_flat("flat.png", 51);
  run("file,label\nflat.png,1\n");
  EXPECT_EQ(table().pixel_type, PixelType::uint8);
  add("deep.png", png(1, 2, 16, PngColour::gray, std::string("\0\1\xff\xff", 4), 4));
  run("file,label\nflat.png,1\ndeep.png,0\n");
  EXPECT_EQ(table().pixel_type, PixelType::float32);
  EXPECT_THAT(pixels(0), ElementsAre(FloatEq(1.0F / 65535), 1));
  EXPECT_THAT(pixels(1), Each(FloatEq(0.2F)));
}

TEST_F(ImportTest, SlicesOfAVolumeShareLabelGroupAndSpacing) {
  add("b.nii",
      nifti({.sizes = {2, 1, 3}, .datatype = 4, .pixels = bytes_of(I16{1, 2, 3, 4, 5, 6})}));
  add_flat("a.png");
  ImportReport report = run("file,label,group\nb.nii,x,p\na.png,y,q\n");
  EXPECT_THAT(report_text(report), HasSubstr("of 2 files"));
  EXPECT_THAT(table().label, ElementsAre(1, 0, 0, 0));
  const std::vector<std::int32_t> group = table().group;
  EXPECT_THAT(std::set(group.begin() + 1, group.end()), SizeIs(1));
  EXPECT_THAT(pixels(3), ElementsAre(5, 6));
  EXPECT_EQ(table().spacing[4], 3);  // rows of the third image's
  EXPECT_EQ(table().spacing[5], 2);
  // Without groups a file is one, so that its slices stay together.
  report = run("file,label\nb.nii,x\na.png,y\n");
  EXPECT_FALSE(report.has_groups);
  EXPECT_THAT(table().group, ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(report_text(report), HasSubstr("each file is its own"));
}

TEST_F(ImportTest, FramesKeepTheirOwnSpacing) {
  DicomFile file{.width = 2, .n_frames = 2, .pixels = bytes_of(I16{1, 2, 3, 4}), .spacing = ""};
  std::vector<std::string> own;
  for (const char* spacing : {"1\\2", "3\\4"})
    own.push_back(dicom_sequence(0x28, 0x9110, {dicom_element(0x28, 0x30, "DS", spacing)}));
  file.before_pixels = dicom_sequence(0x5200, 0x9230, own);
  add("scan", dicom(file));
  run("file,label\nscan,0\n");
  EXPECT_THAT(table().spacing, ElementsAre(1, 2, 3, 4));
}

TEST_F(ImportTest, AWindowClipsAndScalesAllButPngAndJpeg) {
  add("scan", dicom({.width = 3, .pixels = bytes_of(I16{-2000, 0, 2976})}));
  add_flat("p.png", 255);
  const std::string labels = "file,label,group\np.png,0,a\nscan,1,b\n";
  EXPECT_THAT(report_text(run(labels)), HasSubstr("warning: PNG and JPEG, in 0 .. 1"));
  options_.window = {-1000, 1000};
  EXPECT_THAT(report_text(run(labels)), Not(HasSubstr("warning")));
  EXPECT_THAT(pixels(0), Each(1));
  EXPECT_THAT(pixels(1), ElementsAre(0, 0.5F, 1));
}

// Values are divided by its width, as floats.
TEST_F(ImportTest, AWindowHasAWidth) {
  add("a.nrrd", "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 2 1\nencoding: raw\n\nab");
  write_file(options_.labels, "file,label\na.nrrd,x\n");
  const double infinite = std::numeric_limits<double>::infinity();
  for (const auto& window : std::vector<std::pair<double, double>>{
           {-infinite, infinite}, {0, infinite}, {-1e308, 1e308}, {0, 1e-300}, {1e9, 1e9 + 1}}) {
    options_.window = window;
    EXPECT_THAT([&] { import_images(options_); },
                testing::ThrowsMessage<ConfigError>(HasSubstr("by which no value can be divided")));
    EXPECT_FALSE(fs::exists(options_.output));
  }
}

// 8 bits: least 0, largest 255; windowed to 55 … 155, then inverted.
TEST_F(ImportTest, InvertedDicomIsTurnedSoThatMoreIsBrighter) {
  DicomFile file{.width = 3, .pixels = "\x01\x69\xff", .photometric = "MONOCHROME1"};
  file.bits_allocated = file.bits_stored = 8;
  file.is_signed = 0;
  add("scan", dicom(file));
  run("file,label\nscan,0\n");
  EXPECT_THAT(pixels(0), ElementsAre(254, 150, 0));
  options_.window = {55, 155};
  run("file,label\nscan,0\n");
  EXPECT_THAT(pixels(0), ElementsAre(1, 0.5F, 0));
}

TEST_F(ImportTest, FilesAndRowsMustMeetUnlessSkipped) {
  add_flat("a.png");
  add_flat("stray.png");
  add("README.md", "not an image, not missed");
  add("DICOMDIR",
      std::string(128, '\0') + "DICM" + dicom_element(2, 2, "UI", "1.2.840.10008.1.3.10"));
  const std::string labels = "file,label,group\na.png,0,a\ngone.png,1,b\n";
  EXPECT_THAT(failure(labels),
              AllOf(HasSubstr("stray.png"), HasSubstr("gone.png"), HasSubstr("--skip-unlabelled"),
                    Not(HasSubstr("README")), Not(HasSubstr("DICOMDIR"))));
  options_.skip_unlabelled = true;
  const ImportReport report = run(labels);
  EXPECT_THAT(report.no_row, ElementsAre("stray.png"));
  EXPECT_THAT(report.no_file, ElementsAre(HasSubstr("gone.png")));
  EXPECT_THAT(report_text(report), AllOf(HasSubstr("skipped 1 images without a row"),
                                         HasSubstr("skipped 1 rows without a file")));
  EXPECT_EQ(table().size(), 1);
}

// What a name says stays when bytes are damaged; nothing that looks like an image goes silently.
TEST_F(ImportTest, FilesNamedAsImagesMustBeImagesInFoldersToo) {
  options_.labels = "";
  add_flat("a/good.png");
  const std::string cut = gzip(nifti({.sizes = {2, 1}, .pixels = "12345678"})).substr(0, 30);
  add("a/text.dcm", "hello");
  add("a/empty.PNG", "");
  add("b/cut.nii.gz", cut);
  add("b/scan.tiff", "II*");
  add("README", "of the folder");
  add("b/notes.txt", "of a class");
  EXPECT_THAT([&] { import_images(options_); },
              testing::ThrowsMessage<DataError>(AllOf(
                  HasSubstr("4 of 5 images"), HasSubstr("a/text.dcm"), HasSubstr("a/empty.PNG"),
                  HasSubstr("b/cut.nii.gz"), HasSubstr("b/scan.tiff"), Not(HasSubstr("README")))));
  EXPECT_FALSE(fs::exists(options_.output));
  for (const char* bad : {"a/text.dcm", "a/empty.PNG", "b/cut.nii.gz", "b/scan.tiff"})
    fs::remove(folder_ / (std::string("src/") + bad));
  const ImportReport report = import_images(options_);
  EXPECT_THAT(report.no_image, ElementsAre("README", "b/notes.txt"));
  EXPECT_THAT(report_text(report), HasSubstr("left out 2 files that are no images: README, b/"));
  EXPECT_EQ(report_json(report).find("files_left_out")->list()->size(), 2u);
}

TEST_F(ImportTest, WhatIsNamedAsAnImageNeedsARow) {
  add_flat("a.png");
  add("text.dcm", "hello");
  EXPECT_THAT(failure("file,label\na.png,x\n"), HasSubstr("text.dcm"));
}

TEST_F(ImportTest, HiddenFilesAndFoldersAreSkipped) {
  add_flat("a/good.png");
  add("a/._good.png", "what a Mac leaves");
  add_flat(".cache/b.png");
  options_.labels = "";
  const ImportReport report = import_images(options_);
  EXPECT_THAT(table().class_names, ElementsAre("a"));
  EXPECT_EQ(report.n_files, 1);
  EXPECT_THAT(report.no_image, IsEmpty());
}

TEST_F(ImportTest, TheOutputMayBeNeitherAnInputNorAFolder) {
  add_flat("a.png");
  const std::string labels = "file,label\na.png,x\n", image = folder_ / "src/a.png";
  write_file(options_.labels, labels);
  fs::create_hard_link(image, folder_ / "linked.txt");
  const auto refusal = [&](const std::string& output) {
    options_.output = output;
    try {
      import_images(options_);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  EXPECT_THAT(refusal(image), HasSubstr("which is read"));
  EXPECT_THAT(refusal(folder_ / "linked.txt"), HasSubstr("a.png, which is read"));
  EXPECT_THAT(refusal(options_.labels), HasSubstr("labels.csv, which is read"));
  EXPECT_THAT(refusal(folder_ / "src"), HasSubstr("is a folder"));
  EXPECT_THAT(refusal(folder_ / "gone/out.h5"), HasSubstr("gone is no folder; make it"));
  EXPECT_EQ(fs::file_size(options_.labels), labels.size());
  EXPECT_EQ(read_header(image).width, 5);
  // What else is there is nobody's to replace: the pixels that a header names, a pipe, any file.
  write_file(folder_ / "src/pixels.raw", "ab");
  add("b.nhdr",
      "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 2 1\nencoding: raw\ndata file: pixels.raw\n");
  write_file(options_.labels, labels + "b.nhdr,x\n");
  EXPECT_THAT(refusal(folder_ / "src/pixels.raw"),
              HasSubstr("is there already, and is no file of schema attune.dataset@1"));
  EXPECT_EQ(fs::file_size(folder_ / "src/pixels.raw"), 2U);
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(folder_ / "pipe"), HasSubstr("no file that could be replaced"));
  EXPECT_TRUE(fs::is_fifo(folder_ / "pipe"));
  // A dataset file that lies among the images may be written again.
  EXPECT_EQ(refusal(folder_ / "src/out.h5"), "nothing was thrown");
  EXPECT_EQ(refusal(folder_ / "src/out.h5"), "nothing was thrown");
}

TEST_F(ImportTest, LabelsThatAreNoFileAreRefused) {
  options_.labels = folder_ / "src";
  EXPECT_THAT([&] { import_images(options_); },
              testing::ThrowsMessage<DataError>(HasSubstr("is a folder: it must be a CSV")));
}

TEST_F(ImportTest, ALabelIsALineOfText) {
  add_flat("a.png");
  add_flat("b.png");
  EXPECT_THAT(failure("file,label\na.png,fine\nb.png,\"two\nlines\"\n"),
              AllOf(HasSubstr("1 labels"), HasSubstr("\"two\\nlines\", the label of b.png")));
  options_.labels = "";
  add_flat("caf\xe9/a.png");
  add_flat("tab\tbed/a.png");
  fs::remove(folder_ / "src/a.png");
  fs::remove(folder_ / "src/b.png");
  EXPECT_THAT([&] { import_images(options_); },
              testing::ThrowsMessage<DataError>(AllOf(HasSubstr("2 labels"), HasSubstr("tab\\t"))));
}

TEST_F(ImportTest, NumericLabelsAreOrderedAsNumbers) {
  for (const char* name : {"a.png", "b.png", "c.png"}) add_flat(name);
  run("file,label\na.png,10\nb.png,9\nc.png,2\n");
  EXPECT_THAT(table().class_names, ElementsAre("2", "9", "10"));
}

TEST_F(ImportTest, FoldersNameTheClassesWithoutACsv) {
  add_flat("ill/deep/a.png");
  add_flat("well/b.png", 7);
  add("well/notes.txt", "no image");
  options_.labels = "";
  const ImportReport report = import_images(options_);
  EXPECT_THAT(table().class_names, ElementsAre("ill", "well"));
  EXPECT_THAT(table().label, ElementsAre(0, 1));
  EXPECT_THAT(table().group, ElementsAre(0, 1));
  EXPECT_THAT(report_text(report), HasSubstr("may be split apart"));
  add_flat("stray.png");
  fs::remove(options_.output);
  EXPECT_THAT(
      [&] { import_images(options_); },
      testing::ThrowsMessage<DataError>(AllOf(HasSubstr("stray.png"), HasSubstr("--labels CSV"))));
  EXPECT_FALSE(fs::exists(options_.output));
}

TEST_F(ImportTest, FaultsOfHeadersAndOfPixelsAreToldTogether) {
  add_flat("good.png");
  const std::string whole = gray_png(3, 5, U8(15, 9));
  add("pixels.png", whole.substr(0, whole.size() - 20));
  add("header.png", whole.substr(0, 20));
  EXPECT_THAT(failure("file,label\ngood.png,0\npixels.png,0\nheader.png,1\n"),
              AllOf(HasSubstr("2 of 3"), HasSubstr("pixels.png"), HasSubstr("header.png"),
                    Not(HasSubstr("good.png"))));
}

TEST_F(ImportTest, AFileThatMayNotBeReadIsNamed) {
  add_flat("secret.png");
  fs::permissions(folder_.path(), fs::perms::all);
  fs::permissions(folder_ / "src/secret.png", fs::perms::none);
  write_file(options_.labels, "file,label\nsecret.png,0\n");
  // In a process that is not root.
  const pid_t child = fork();
  if (child == 0) {
    const bool is_nobody = geteuid() != 0 || setuid(65534) == 0;
    try {
      import_images(options_);
    } catch (const DataError& error) {
      const std::string text = error.what();
      const bool told = text.find("secret.png cannot be opened: Permission") != text.npos;
      _exit(is_nobody && told ? 0 : 1);
    }
    _exit(2);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ImportTest, EqualPixelsOfTwoGroupsOrLabelsAreListed) {
  add_slope("a.png", 10);
  add_slope("b.png", 10);
  add_slope("c.png", 10);
  add_slope("d.png", 90);
  add_slope("e.png", 90);
  add_slope("same1.png", 60);
  add_slope("same2.png", 60);
  add_flat("flat1.png");
  add_flat("flat2.png");
  const ImportReport report =
      run("file,label,group\na.png,x,p\nb.png,x,q\nc.png,x,p\nd.png,x,r\ne.png,y,r\nsame1.png,x,s\n"
          "same2.png,x,s\nflat1.png,x,t\nflat2.png,y,u\n");
  ASSERT_THAT(report.duplicates, SizeIs(2));
  EXPECT_THAT(report.duplicates[0].images, SizeIs(3));
  EXPECT_TRUE(report.duplicates[0].across_groups);
  EXPECT_FALSE(report.duplicates[0].across_labels);
  EXPECT_FALSE(report.duplicates[1].across_groups);
  EXPECT_TRUE(report.duplicates[1].across_labels);
  EXPECT_THAT(report_text(report),
              AllOf(HasSubstr("warning: 2 images"),
                    HasSubstr("a.png (label x, group p) = b.png (label x, group q) = c.png"),
                    HasSubstr("e.png (label y, group r): different labels"),
                    Not(HasSubstr("same1")), Not(HasSubstr("flat"))));
  const Json json = report_json(report);
  EXPECT_EQ(json.find("duplicates")->list()->size(), 2u);
  // The same pixels in another shape are another picture.
  add("b.png", gray_png(3, 2, {10, 11, 12, 13, 14, 15}));
  options_.skip_unlabelled = true;
  EXPECT_THAT(run("file,label,group\na.png,x,p\nb.png,x,q\n").duplicates, IsEmpty());
}

TEST_F(ImportTest, TheReportCountsByLabelGroupAndSize) {
  add_slope("a.png", 1);
  add_slope("b.png", 20);
  add_slope("c.png", 40);
  add_flat("d.png");
  const ImportReport report = run("file,label,group\na.png,x,p\nb.png,x,p\nc.png,y,p\nd.png,y,q\n");
  const std::string text = report_text(report);
  EXPECT_THAT(text, HasSubstr("x           2       1\n"));
  EXPECT_THAT(text, HasSubstr("y           2       2\n"));
  EXPECT_THAT(text, HasSubstr("images a group         1       3       3\n"));
  EXPECT_THAT(text, HasSubstr("height                 2       2       3\n"));
  EXPECT_THAT(text, HasSubstr("2 different sizes"));
  const Json json = Json::parse(report_json(report).dump(), "report");
  EXPECT_EQ(*json.find("images")->integer(), 4);
  EXPECT_EQ(*json.find("groups")->find("count")->integer(), 2);
  EXPECT_EQ(*json.find("groups")->find("max")->integer(), 3);
  EXPECT_EQ(*json.find("width")->find("min")->integer(), 3);
  EXPECT_EQ(*json.find("labels")->list()->at(1).find("name")->text(), "y");
}

// 40 images of 1 MiB: holding them would take 37 MiB more than holding 3.
TEST_F(ImportTest, MemoryIsThatOfAnImageNotOfTheFolder) {
  const auto peak_of = [&](int n) {
    std::string labels = "file,label\n";
    for (int i = 0; i < n; ++i) {
      U8 pixels(1U << 20U);
      for (std::size_t p = 0; p < pixels.size(); ++p)
        pixels[p] = static_cast<std::uint8_t>((p * p >> 7U) + static_cast<std::size_t>(i));
      add(fmt::format("{}.png", i), gray_png(1024, 1024, pixels));
      labels += fmt::format("{}.png,0\n", i);
    }
    write_file(options_.labels, labels);
    const pid_t child = fork();
    if (child == 0) {
      rusage before{}, after{};
      getrusage(RUSAGE_SELF, &before);
      import_images(options_);
      getrusage(RUSAGE_SELF, &after);
      _exit(static_cast<int>((after.ru_maxrss - before.ru_maxrss) >> 10U));  // MiB
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  };
  const int few = peak_of(3);
  EXPECT_LE(peak_of(40), few + 16);
}

// All that a hospital writes into a file beside the pixels.
TEST_F(ImportTest, NothingOfAFileSurvivesButPixelsAndSpacing) {
  const std::string who = "SECRETUS";
  std::string wide;
  for (const char c : who) wide += std::string{c, '\0'};
  DicomFile scan{.width = 2, .pixels = bytes_of(I16{1, 2})};
  scan.patient = who + "^JANE";
  scan.before_pixels =
      dicom_element(0x29, 0x10, "LO", who) + dicom_element(0x29, 0x1001, "UN", who) +
      dicom_element(0x32, 0x1060, "LO", wide) + dicom_element(0x40, 0x244, "DA", "20310203");
  add(who + "/" + who + ".dcm", dicom(scan));
  add("volume.nii", nifti({.sizes = {2, 1}, .pixels = std::string(8, '\1'), .description = who}));
  add("note.png",
      png(1, 1, 8, PngColour::gray, "a", 1, png_chunk("tEXt", std::string("Author\0", 7) + who)));
  add("photo.jpg",
      jpeg(8, 8, 1, U8(64, 7),
           jpeg_marker(0xe1, std::string("Exif\0\0", 6) + wide) + jpeg_marker(0xfe, who)));
  add("meta.mha", "ObjectType = Image\nComment = " + who +
                      "\nNDims = 2\nDimSize = 1 1\nElementType = MET_UCHAR\nElementDataFile = "
                      "LOCAL\nx");
  add("n.nrrd", "NRRD0004\n# " + who + "\ncontent: " + who + "\nwho:=" + who +
                    "\ntype: uchar\ndimension: 2\nsizes: 1 1\nencoding: raw\n\nx");
  std::string labels = "file,label,group\n";
  for (const std::string& file :
       {who + "/" + who + ".dcm", std::string("volume.nii"), std::string("note.png"),
        std::string("photo.jpg"), std::string("meta.mha"), std::string("n.nrrd")})
    labels += file + ",0," + who + "\n";
  EXPECT_EQ(run(labels).table.size(), 6);

  // The raw bytes, and those of each dataset once inflated: pixels apart, the table is all there
  // is.
  std::ifstream file(options_.output, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  const ImageTable kept = table();
  bytes += bytes_of(kept.height) + bytes_of(kept.width) + bytes_of(kept.label) +
           bytes_of(kept.group) + bytes_of(kept.spacing);
  for (Index i = 0; i < kept.size(); ++i) bytes += bytes_of(pixels(i));
  for (const std::string& name : kept.class_names) bytes += name;
  std::transform(bytes.begin(), bytes.end(), bytes.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  for (const std::string& secret :
       {who, wide, std::string("JANE"), std::string("20310203"), std::string("1.2.3.4"),
        std::string("VOLUME"), std::string("PHOTO"), std::string("AUTHOR")})
    EXPECT_EQ(bytes.find(secret), std::string::npos) << secret;
}

}  // namespace
}  // namespace attune
