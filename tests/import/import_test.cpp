#include "import/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <itkJPEGImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkPNGImageIO.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "datasets/dataset_file.h"

namespace attune {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Not;

using Bytes = std::vector<std::uint8_t>;

// Pixels of `components` values each, row-major, through ITK's own writer.
template <class IO, class T>
void write_image(const std::string& path, unsigned height, unsigned width, unsigned components,
                 const std::vector<T>& pixels) {
  auto io = IO::New();
  io->SetFileName(path);
  io->SetNumberOfDimensions(2);
  io->SetDimensions(0, width);
  io->SetDimensions(1, height);
  io->SetComponentType(itk::ImageIOBase::MapPixelType<T>::CType);
  io->SetNumberOfComponents(components);
  itk::ImageIORegion region(2);
  region.SetSize(0, width);
  region.SetSize(1, height);
  io->SetIORegion(region);
  io->Write(pixels.data());
}

// A CT slice in explicit little-endian DICOM, as short as it can be.
void write_dicom(const std::string& path, std::uint16_t height, std::uint16_t width,
                 const std::vector<std::int16_t>& pixels, const std::string& photometric) {
  const auto u16 = [](unsigned v) {
    return std::string{static_cast<char>(v & 255U), static_cast<char>(v >> 8U)};
  };
  const auto u32 = [&](std::size_t v) {
    return u16(static_cast<unsigned>(v & 0xffffU)) + u16(static_cast<unsigned>(v >> 16U));
  };
  const auto tag = [&](unsigned group, unsigned element, const std::string& vr, std::string value) {
    if (value.size() % 2 != 0) value += vr == "UI" ? '\0' : ' ';
    const bool is_long = vr == "OB" || vr == "OW";
    return u16(group) + u16(element) + vr +
           (is_long ? u16(0) + u32(value.size()) : u16(static_cast<unsigned>(value.size()))) +
           value;
  };
  const std::string ct = "1.2.840.10008.5.1.4.1.1.2", id = "1.2.3.4";
  const std::string meta = tag(2, 1, "OB", std::string("\0\1", 2)) + tag(2, 2, "UI", ct) +
                           tag(2, 3, "UI", id) + tag(2, 0x10, "UI", "1.2.840.10008.1.2.1");
  std::string values;
  for (const std::int16_t p : pixels) values += u16(static_cast<std::uint16_t>(p));
  std::ofstream(path, std::ios::binary)
      << std::string(128, '\0') << "DICM" << tag(2, 0, "UL", u32(meta.size())) << meta
      << tag(8, 0x16, "UI", ct) << tag(8, 0x18, "UI", id) << tag(8, 0x60, "CS", "CT")
      << tag(0x10, 0x10, "PN", "Doe^Jane") << tag(0x20, 0x0d, "UI", id) << tag(0x20, 0x0e, "UI", id)
      << tag(0x20, 0x32, "DS", "0\\0\\0") << tag(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0")
      << tag(0x28, 2, "US", u16(1)) << tag(0x28, 4, "CS", photometric)
      << tag(0x28, 0x10, "US", u16(height)) << tag(0x28, 0x11, "US", u16(width))
      << tag(0x28, 0x30, "DS", "0.7\\0.9") << tag(0x28, 0x100, "US", u16(16))
      << tag(0x28, 0x101, "US", u16(16)) << tag(0x28, 0x102, "US", u16(15))
      << tag(0x28, 0x103, "US", u16(1)) << tag(0x28, 0x1052, "DS", "-1024")
      << tag(0x28, 0x1053, "DS", "2") << tag(0x7fe0, 0x10, "OW", values);
}

class ImportTest : public testing::Test {
 protected:
  ImportTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / fmt::format("attune-import-{}-{}", test->name(), getpid());
    fs::create_directories(folder_ / "src" / "sub");
    options_.source = (folder_ / "src").string();
    options_.output = (folder_ / "out.h5").string();
    options_.labels = (folder_ / "labels.csv").string();
  }
  ~ImportTest() override { fs::remove_all(folder_); }

  std::string in_source(const std::string& name) const { return (folder_ / "src" / name).string(); }
  void write_labels(const std::string& text) const { std::ofstream(options_.labels) << text; }
  void gray_png(const std::string& name, std::uint8_t value = 200) const {
    write_image<itk::PNGImageIO>(in_source(name), 3, 5, 1, Bytes(15, value));
  }
  std::string run() const {
    std::ostringstream report;
    import_images(options_, report);
    return report.str();
  }
  // The message of an import that must fail and leave nothing.
  std::string failure() const {
    try {
      run();
    } catch (const DataError& error) {
      EXPECT_FALSE(fs::exists(options_.output));
      EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 2)
          << "a temporary file is left";
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }
  std::vector<float> pixels(Index i) const {
    const DatasetFile file(options_.output);
    std::vector<float> out(static_cast<std::size_t>(file.table().n_pixels(i)));
    file.read_pixels(i, out.data());
    return out;
  }

  fs::path folder_;
  ImportOptions options_;
};

TEST_F(ImportTest, FormatsAreToldByContentNotByName) {
  gray_png("a.jpg");
  Bytes smooth(64);
  for (std::size_t i = 0; i < 64; ++i) smooth[i] = static_cast<std::uint8_t>(100 + i);
  write_image<itk::JPEGImageIO>(in_source("sub/b.png"), 8, 8, 1, smooth);
  write_labels("file,label,group\na.jpg,x,p\nsub/b.png,y,q\n");
  EXPECT_THAT(run(), AllOf(HasSubstr("2 images (1 JPEG, 1 PNG) as uint8"), HasSubstr("x ")));
  EXPECT_THAT(pixels(0), Each(200));
  const auto jpeg = pixels(1);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_NEAR(jpeg[i], smooth[i], 4);  // JPEG's own loss
  const DatasetFile file(options_.output);
  EXPECT_THAT(file.table().class_names, ElementsAre("x", "y"));
  EXPECT_THAT(file.table().label, ElementsAre(0, 1));
  EXPECT_NE(file.table().group[0], file.table().group[1]);
  EXPECT_TRUE(file.table().spacing.empty());
}

// Rec. 601: .299 R + .587 G + .114 B; on black, alpha is a factor.
TEST_F(ImportTest, ColourBecomesLumaAndAlphaLiesOnBlack) {
  write_image<itk::PNGImageIO>(in_source("rgb.png"), 1, 3, 3, Bytes{255, 0, 0, 0, 255, 0, 9, 9, 9});
  write_image<itk::PNGImageIO>(in_source("rgba.png"), 1, 2, 4,
                               Bytes{200, 200, 200, 51, 200, 200, 200, 0});
  write_labels("file,label,group\nrgb.png,0,a\nrgba.png,1,b\n");
  run();
  EXPECT_THAT(pixels(0), ElementsAre(76, 150, 9));
  EXPECT_THAT(pixels(1), ElementsAre(40, 0));
}

TEST_F(ImportTest, SixteenBitsKeepTheirPrecision) {
  write_image<itk::PNGImageIO>(in_source("deep.png"), 1, 2, 1,
                               std::vector<std::uint16_t>{1, 65535});
  gray_png("flat.png", 51);
  write_labels("file,label,group\ndeep.png,0,a\nflat.png,1,b\n");
  EXPECT_THAT(run(), HasSubstr("as float32"));
  EXPECT_THAT(pixels(0), ElementsAre(FloatNear(1.0F / 65535, 1e-9F), 1));
  EXPECT_THAT(pixels(1), Each(FloatNear(0.2F, 1e-7F)));
}

TEST_F(ImportTest, DicomGivesPhysicalValuesAndSpacingAndNoName) {
  write_dicom(in_source("scan"), 2, 3, {0, 1, 2, 500, 600, -7}, "MONOCHROME2");
  write_labels("file,label,group\nscan,0,Doe^Jane\n");
  run();
  EXPECT_THAT(pixels(0), ElementsAre(-1024, -1022, -1020, -24, 176, -1038));
  EXPECT_THAT(DatasetFile(options_.output).table().spacing,
              ElementsAre(FloatNear(0.7F, 1e-6F), FloatNear(0.9F, 1e-6F)));
  std::ifstream file(options_.output, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(bytes, Not(HasSubstr("Doe")));
}

TEST_F(ImportTest, AWindowClipsAndScales) {
  write_dicom(in_source("scan"), 1, 3, {0, 512, 2000}, "MONOCHROME2");  // −1024, 0, 2976
  gray_png("p.png", 255);
  write_labels("file,label,group\np.png,0,a\nscan,1,b\n");
  options_.window = {-1000, 1000};
  run();
  EXPECT_THAT(pixels(0), Each(1));
  EXPECT_THAT(pixels(1), ElementsAre(0, 0.5F, 1));
}

TEST_F(ImportTest, InvertedDicomIsRefusedRatherThanMixedIn) {
  write_dicom(in_source("scan"), 1, 1, {5}, "MONOCHROME1");
  write_labels("file,label,group\nscan,0,a\n");
  EXPECT_THAT(failure(), AllOf(HasSubstr("scan"), HasSubstr("MONOCHROME1")));
}

TEST_F(ImportTest, DamagedFilesAreAllNamedAndNothingIsWritten) {
  gray_png("good.png");
  gray_png("cut.png");
  fs::resize_file(in_source("cut.png"), fs::file_size(in_source("cut.png")) - 20);
  std::ofstream(in_source("header.png"), std::ios::binary) << "\x89PNG\r\n\x1a\n"
                                                           << std::string(40, '\0');
  write_image<itk::JPEGImageIO>(in_source("cut.jpg"), 64, 64, 1, Bytes(4096, 9));
  fs::resize_file(in_source("cut.jpg"), fs::file_size(in_source("cut.jpg")) - 8);
  std::ofstream(in_source("text.dcm")) << "not an image";
  write_labels(
      "file,label,group\ngood.png,0,a\ncut.png,0,b\ncut.jpg,1,c\nheader.png,1,d\ntext.dcm,1,e\n");
  EXPECT_THAT(failure(),
              AllOf(HasSubstr("header.png"), HasSubstr("text.dcm"), Not(HasSubstr("good.png"))));
  write_labels("file,label,group\ngood.png,0,a\ncut.png,0,b\ncut.jpg,1,c\n");
  options_.skip_unlabelled = true;
  EXPECT_THAT(failure(), AllOf(HasSubstr("cut.png"), HasSubstr("cut.jpg")));
}

// ITK fills what is missing with zeros.
TEST_F(ImportTest, SlicesThatEndBeforeTheirLastPixelAreRefused) {
  const std::vector<std::int16_t> values(12 * 10, 7);
  write_dicom(in_source("whole"), 12, 10, values, "MONOCHROME2");
  write_labels("file,label,group\nwhole,0,a\n");
  run();
  fs::remove(options_.output);
  fs::resize_file(in_source("whole"), fs::file_size(in_source("whole")) - 50);
  EXPECT_THAT(failure(), AllOf(HasSubstr("whole"), HasSubstr("before its last pixel")));
}

TEST_F(ImportTest, VolumesThatAreCutOrHoldNaNAreRefused) {
  for (const char* name : {"v.nii", "v.nii.gz"}) {
    const auto write = [&](float value) {
      write_image<itk::NiftiImageIO>(in_source(name), 20, 30, 1, std::vector<float>(600, value));
    };
    write_labels(fmt::format("file,label,group\n{},0,a\n", name));
    write(1.5F);
    run();
    EXPECT_THAT(pixels(0), Each(1.5F));
    fs::remove(options_.output);
    fs::resize_file(in_source(name), fs::file_size(in_source(name)) - 6);
    EXPECT_THAT(failure(), AllOf(HasSubstr(name), HasSubstr("before its last pixel")));
    write(std::nanf(""));
    EXPECT_THAT(failure(), AllOf(HasSubstr(name), HasSubstr("NaN")));
    fs::remove(in_source(name));
  }
}

// A PNG that says 60000 × 60000 in its header, with a right checksum and no pixels.
TEST_F(ImportTest, AnAbsurdSizeIsRefusedBeforeMemoryIsTaken) {
  const std::string header("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\0\0\0\0", 29);
  std::uint32_t crc = 0xffffffffU;
  for (std::size_t i = 12; i < header.size(); ++i) {
    crc ^= static_cast<unsigned char>(header[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ (crc & 1U ? 0xedb88320U : 0U);
  }
  crc = ~crc;
  std::ofstream file(in_source("huge.png"), std::ios::binary);
  file << header;
  for (unsigned shift : {24U, 16U, 8U, 0U}) file.put(static_cast<char>(crc >> shift & 255U));
  file << std::string("\0\0\0\0IDAT\x35\xaf\x06\x1e", 12);
  file.close();
  write_labels("file,label,group\nhuge.png,0,a\n");
  EXPECT_THAT(failure(), AllOf(HasSubstr("huge.png"), HasSubstr("60000 x 60000")));
}

TEST_F(ImportTest, FilesAndRowsMustMeetUnlessSkipped) {
  gray_png("a.png");
  gray_png("stray.png");
  std::ofstream(in_source("README.md")) << "not an image, not missed";
  write_labels("file,label,group\na.png,0,a\ngone.png,1,b\n");
  EXPECT_THAT(failure(), AllOf(HasSubstr("stray.png"), HasSubstr("gone.png"),
                               HasSubstr("--skip-unlabelled"), Not(HasSubstr("README"))));
  options_.skip_unlabelled = true;
  EXPECT_THAT(run(), AllOf(HasSubstr("skipped 1 images without a row"),
                           HasSubstr("skipped 1 rows without a file")));
  EXPECT_EQ(DatasetFile(options_.output).table().size(), 1);
}

TEST_F(ImportTest, NumericLabelsAreOrderedAsNumbers) {
  for (const char* name : {"a.png", "b.png", "c.png"}) gray_png(name);
  write_labels("file,label\na.png,10\nb.png,9\nc.png,2\n");
  EXPECT_THAT(run(), HasSubstr("each image is its own"));
  EXPECT_THAT(DatasetFile(options_.output).table().class_names, ElementsAre("2", "9", "10"));
}

std::vector<LabelRow> rows_of(const std::string& text, const LabelColumns& columns = {}) {
  std::istringstream csv(text);
  return read_labels(csv, columns, "l.csv");
}

TEST(Labels, QuotesBreaksMarksAndBlankLinesAreRead) {
  const auto rows = rows_of(
      "\xef\xbb\xbf"
      "file,note,label,group\r\n\"a,\"\"b\"\".png\",\"two\nlines\",x,g\r\n\r\n"
      "./c.png,,y,g");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].file, "a,\"b\".png");
  EXPECT_EQ(rows[0].label, "x");
  EXPECT_EQ(rows[1].file, "c.png");
  EXPECT_EQ(rows[1].line, 5u);
}

TEST(Labels, SpacesAroundFieldsAreNoPartOfThemUnlessQuoted) {
  const auto rows = rows_of("\xef\xbb\xbf\"file\", label ,group\na.png, ill , \" g\"\n");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].label, "ill");
  EXPECT_EQ(rows[0].group, " g");
}

TEST(Labels, ColumnsMayHaveOtherNames) {
  const auto rows =
      rows_of("image,finding,patient\na.png,ill,7\n", {"image", "finding", "patient"});
  EXPECT_EQ(rows.at(0).file, "a.png");
  EXPECT_EQ(rows.at(0).group, "7");
}

TEST(Labels, FaultsNameTheLine) {
  const auto message = [](const std::string& text,
                          const LabelColumns& columns = {}) -> std::string {
    try {
      rows_of(text, columns);
    } catch (const DataError& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_THAT(message(""), HasSubstr("l.csv is empty"));
  EXPECT_THAT(message("name,label\n"), HasSubstr("no column 'file'; it has name, label"));
  EXPECT_THAT(message("file,label\na,x\nb\n"), HasSubstr("l.csv:3: has 1 fields"));
  EXPECT_THAT(message("file,label\na,x\n\na,y\n"),
              HasSubstr("l.csv:4: a has a row already, in line 2"));
  EXPECT_THAT(message("file,label\na,\n"), HasSubstr("neither may be empty"));
  EXPECT_THAT(message("file,label\n\"a,x\n"), HasSubstr("never closed"));
  EXPECT_THAT(message("file,label\na,x\n", {"file", "label", "patient"}), HasSubstr("'patient'"));
  EXPECT_THAT(message("file,label,label\na,x,y\n"), HasSubstr("two columns 'label'"));
  EXPECT_THAT(message("file,label,group\na,x,g\nb,x,\nc,x,\n"),
              HasSubstr("l.csv:3: b has no group (nor have 1 more)"));
  EXPECT_THAT(message("file,label\na,x\nb,\xe9t\xe9\n"), HasSubstr("l.csv:3: is no text in UTF-8"));
  EXPECT_THAT(message(std::string("file,label\na,x\0y\n", 17)), HasSubstr("l.csv:2: is no text"));
}

}  // namespace
}  // namespace attune
