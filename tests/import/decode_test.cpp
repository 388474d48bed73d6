#include "import/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "tests/import/image_files.h"
#include "tests/import/test_folder.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pointwise;

using U8 = std::vector<std::uint8_t>;
using I16 = std::vector<std::int16_t>;

class DecodeTest : public testing::Test {
 protected:
  // Everything that a file of these bytes decodes to.
  std::vector<Slice> decode(const std::string& bytes, const std::string& name = "image") {
    const std::string path = folder_ / name;
    write_file(path, bytes);
    header_ = read_header(path);
    std::vector<Slice> slices;
    read_slices(path, header_, [&](Slice& slice) { slices.push_back(slice); });
    EXPECT_EQ(static_cast<Index>(slices.size()), header_.n_slices);
    return slices;
  }
  std::vector<float> gray(const std::string& bytes) { return decode(bytes).at(0).gray; }
  std::string refusal(const std::string& bytes) {
    try {
      decode(bytes, "refused");
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(folder_ / "refused"));
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  TestFolder folder_;
  FileHeader header_;
};

TEST_F(DecodeTest, PngOfEveryDepthIsAShareOfWhite) {
  EXPECT_THAT(gray(png(1, 2, 8, PngColour::gray, "\x33\xff", 2)),
              ElementsAre(FloatNear(0.2F, 1e-7F), 1));
  EXPECT_TRUE(header_.eight_bit);
  EXPECT_THAT(gray(png(1, 2, 16, PngColour::gray, std::string("\0\1\xff\xff", 4), 4)),
              ElementsAre(FloatNear(1.0F / 65535, 1e-9F), 1));
  EXPECT_FALSE(header_.eight_bit);
  // 10100000: the first pixel is the highest bit; 1 is white.
  EXPECT_THAT(gray(png(1, 4, 1, PngColour::gray, "\xa0", 1)), ElementsAre(1, 0, 1, 0));
  EXPECT_THAT(gray(png(1, 2, 4, PngColour::gray, "\x5f", 1)),
              ElementsAre(FloatNear(1.0F / 3, 1e-6F), 1));
}

// Rec. 601: .299 R + .587 G + .114 B; on black, alpha is a factor.
TEST_F(DecodeTest, PngColourBecomesLumaAndAlphaLiesOnBlack) {
  const float tiny = 1e-6F;
  EXPECT_THAT(gray(png(1, 2, 8, PngColour::rgb, std::string("\xff\0\0\0\xff\0", 6), 6)),
              ElementsAre(FloatNear(0.299F, tiny), FloatNear(0.587F, tiny)));
  EXPECT_THAT(
      gray(png(1, 2, 8, PngColour::rgba, std::string("\xc8\xc8\xc8\x33\xff\xff\xff\0", 8), 8)),
      ElementsAre(FloatNear(200 * 0.2F / 255, tiny), 0));
  EXPECT_THAT(gray(png(1, 1, 8, PngColour::gray_alpha, "\xc8\x33", 2)),
              ElementsAre(FloatNear(200 * 0.2F / 255, tiny)));
  const std::string palette = png_chunk("PLTE", std::string("\xff\0\0\0\0\xff", 6));
  EXPECT_THAT(gray(png(1, 2, 1, PngColour::palette, "\x40", 1, palette)),
              ElementsAre(FloatNear(0.299F, tiny), FloatNear(0.114F, tiny)));
}

TEST_F(DecodeTest, JpegIsReadAsItIsLookedAt) {
  // A block of 8 × 8 that grows to the right and, more, downwards: 16 wide, 8 high.
  U8 pixels(128);
  for (std::size_t r = 0; r < 8; ++r)
    for (std::size_t c = 0; c < 16; ++c) pixels[16 * r + c] = static_cast<std::uint8_t>(16 * r + c);
  const auto plain = gray(jpeg(8, 16, 1, pixels));
  EXPECT_EQ(header_.height, 8);
  for (std::size_t i = 0; i < 128; ++i) EXPECT_NEAR(plain[i] * 255, pixels[i], 2.5);
  // EXIF 2.32, table of Orientation: where row 0 and column 0 of what is stored are seen.
  struct Case {
    unsigned orientation;
    bool turned;
    std::size_t r, c;  // of the stored pixel seen at the upper left
  };
  for (const Case& k : {Case{1, false, 0, 0},
                        {2, false, 0, 15},
                        {3, false, 7, 15},
                        {4, false, 7, 0},
                        {5, true, 0, 0},
                        {6, true, 7, 0},
                        {7, true, 7, 15},
                        {8, true, 0, 15}}) {
    const auto seen = gray(jpeg(8, 16, 1, pixels, exif_orientation(k.orientation)));
    EXPECT_EQ(header_.height, k.turned ? 16 : 8) << k.orientation;
    EXPECT_EQ(seen.front(), plain[16 * k.r + k.c]) << k.orientation;
    // The corner to its right: along the stored column when turned.
    const std::size_t width = static_cast<std::size_t>(header_.width);
    const std::size_t r = k.turned ? 7 - k.r : k.r, c = k.turned ? k.c : 15 - k.c;
    EXPECT_EQ(seen[width - 1], plain[16 * r + c]) << k.orientation;
  }
}

TEST_F(DecodeTest, JpegColourIsLumaAndInksAreRefused) {
  U8 red;
  for (int i = 0; i < 64; ++i) red.insert(red.end(), {255, 0, 0});
  EXPECT_THAT(gray(jpeg(8, 8, 3, red)), Each(FloatNear(0.299F, 0.005F)));  // rounding to bytes
  EXPECT_THAT(refusal(jpeg(8, 8, 4, U8(256, 9))), HasSubstr("CMYK"));
}

TEST_F(DecodeTest, DicomGivesPhysicalValuesAndSpacing) {
  DicomFile file{.height = 2, .width = 3, .pixels = bytes_of(I16{0, 1, 2, 500, 600, -7})};
  file.slope = "2";
  file.intercept = "-1024";
  EXPECT_THAT(gray(dicom(file)), ElementsAre(-1024, -1022, -1020, -24, 176, -1038));
  EXPECT_FLOAT_EQ(header_.row_spacing, 0.7F);
  EXPECT_FLOAT_EQ(header_.column_spacing, 0.9F);
  file.spacing = "";
  file.before_pixels = dicom_element(0x28, 0x1050, "DS", "40") +  // a window is not applied
                       dicom_element(0x28, 0x1051, "DS", "1");
  EXPECT_EQ(gray(dicom(file)).at(3), -24);
  EXPECT_TRUE(std::isnan(header_.row_spacing));
}

TEST_F(DecodeTest, DicomWithoutAPreambleIsKnownByItsFirstElement) {
  EXPECT_THAT(gray(dicom({.width = 2, .pixels = bytes_of(I16{4, 5}), .preamble = false})),
              ElementsAre(4, 5));
}

// PS3.3 C.7.6.3.1.2: the least value is white. The mirror keeps the range: of 12 bits 0 … 4095,
// slope 2, intercept −100: least −100, largest 8090.
TEST_F(DecodeTest, InvertedDicomTellsItsMirror) {
  DicomFile file{.width = 2, .pixels = bytes_of(I16{0, 4095}), .photometric = "MONOCHROME1"};
  file.bits_stored = 12;
  file.is_signed = 0;
  file.slope = "2";
  file.intercept = "-100";
  const auto slices = decode(dicom(file));
  EXPECT_THAT(slices[0].gray, ElementsAre(-100, 8090));
  EXPECT_EQ(slices[0].mirror, 7990);
  file.is_signed = 1;  // −2048 … 2047
  EXPECT_EQ(decode(dicom(file))[0].mirror, 2 * -1 + 2 * -100);
  file.photometric = "MONOCHROME2";
  EXPECT_TRUE(std::isnan(decode(dicom(file))[0].mirror));
}

TEST_F(DecodeTest, EachFrameOfDicomIsASliceWithItsOwnRescale) {
  DicomFile file{.width = 2, .n_frames = 3, .pixels = bytes_of(I16{1, 2, 3, 4, 5, 6})};
  auto slices = decode(dicom(file));
  EXPECT_THAT(slices.at(2).gray, ElementsAre(5, 6));

  file.slope = file.intercept = file.spacing = "";
  const auto rescale = [](const std::string& slope, const std::string& intercept) {
    return dicom_sequence(
        0x28, 0x9145,
        {dicom_element(0x28, 0x1052, "DS", intercept) + dicom_element(0x28, 0x1053, "DS", slope)});
  };
  const auto measures =
      dicom_sequence(0x28, 0x9110, {dicom_element(0x28, 0x30, "DS", "0.25\\0.5")});
  file.before_pixels =
      dicom_sequence(0x5200, 0x9229, {measures}) +
      dicom_sequence(0x5200, 0x9230, {rescale("1", "0"), rescale("10", "0"), rescale("2", "-3")});
  slices = decode(dicom(file));
  EXPECT_THAT(slices[0].gray, ElementsAre(1, 2));
  EXPECT_THAT(slices[1].gray, ElementsAre(30, 40));
  EXPECT_THAT(slices[2].gray, ElementsAre(7, 9));
  EXPECT_FLOAT_EQ(header_.row_spacing, 0.25F);
  EXPECT_FLOAT_EQ(header_.column_spacing, 0.5F);

  std::vector<std::string> own;
  for (const char* spacing : {"1\\2", "3\\4", "0\\0"})
    own.push_back(dicom_sequence(0x28, 0x9110, {dicom_element(0x28, 0x30, "DS", spacing)}));
  file.before_pixels = dicom_sequence(0x5200, 0x9230, own);
  decode(dicom(file));
  ASSERT_EQ(header_.slice_spacing.size(), 3u);
  EXPECT_THAT(header_.slice_spacing[0], ElementsAre(1, 2));
  EXPECT_THAT(header_.slice_spacing[1], ElementsAre(3, 4));
  EXPECT_THAT(header_.slice_spacing[2], Each(testing::IsNan()));
}

TEST_F(DecodeTest, DicomMayBeDeflated) {
  DicomFile file{.width = 2, .pixels = bytes_of(I16{4, -5}), .syntax = "1.2.840.10008.1.2.1.99"};
  EXPECT_THAT(gray(dicom(file)), ElementsAre(4, -5));
}

TEST_F(DecodeTest, DicomColourMayBeInterleavedOrInPlanes) {
  DicomFile file{.width = 2, .pixels = std::string("\xff\0\0\0\xff\0", 6), .photometric = "RGB"};
  file.bits_allocated = file.bits_stored = 8;
  file.is_signed = 0;
  file.n_samples = 3;
  const auto luma_of_two =
      ElementsAre(FloatNear(0.299F * 255, 1e-4F), FloatNear(0.587F * 255, 1e-4F));
  EXPECT_THAT(gray(dicom(file)), luma_of_two);
  file.planar = 1;
  file.pixels = std::string("\xff\0\0\xff\0\0", 6);
  EXPECT_THAT(gray(dicom(file)), luma_of_two);
}

// PS3.5, 8.2.4: YBR_RCT and YBR_ICT say that the stream has JPEG 2000's component transform, which
// its decoder undoes. Four red pixels, by OpenJPEG; of its COD segment the fifth byte is the
// transform.
TEST_F(DecodeTest, ColourOfJpeg2000IsLumaWhateverItsTransform) {
  const std::string head(
      "\xff\x4f\xff\x51\0\x2f\0\0\0\0\0\4\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0\1\0\0\0\0\0\0\0\0"
      "\0\3\7\1\1\7\1\1\7\1\1\xff\x52\0\x0c\0\0\0\1",
      59);
  const std::string rest("\0\4\4\0\1\xff\x5c\0\4\x40\x40\xff\x90\0\x0a\0\0\0\0\0", 20);
  const std::string transformed =
      head + '\1' + rest +
      std::string("\x1b\0\1\xff\x93\xcf\xb4\x10\x09\x46\x36\x7f\x80\xdf\x80\x10\x02\x5c\xff\xd9",
                  20);
  const std::string plain =
      head + '\0' + rest +
      std::string(
          "\x1d\0\1\xff\x93\xcf\xb4\x08\x02\x5b\xdf\x80\x10\x09\x47\xdf\x80\x10\x09\x47\xff\xd9",
          22);
  DicomFile file{.width = 4, .syntax = "1.2.840.10008.1.2.4.90", .encapsulated = true};
  file.bits_allocated = file.bits_stored = 8;
  file.is_signed = 0;
  file.n_samples = 3;
  // The last is wrong about its stream, which wins.
  for (const char* photometric : {"RGB", "YBR_RCT", "YBR_ICT", "YBR_FULL"}) {
    file.photometric = photometric;
    file.pixels = transformed;
    EXPECT_THAT(gray(dicom(file)), Each(FloatNear(0.299F * 255, 1e-3F))) << photometric;
  }
  file.photometric = "RGB";
  file.pixels = plain;
  EXPECT_THAT(gray(dicom(file)), Each(FloatNear(0.299F * 255, 1e-3F)));
  file.photometric = "YBR_FULL";  // then 255 is luma
  EXPECT_THAT(gray(dicom(file)), Each(255));
}

// A JPEG with JFIF's marker holds luma and chroma, one with Adobe's transform 0 what it was given.
TEST_F(DecodeTest, ColourOfJpegInDicomIsWhatItsStreamSays) {
  U8 red;
  for (int i = 0; i < 64; ++i) red.insert(red.end(), {255, 0, 0});
  const std::string jfif = jpeg(8, 8, 3, red);
  std::string adobe =
      jpeg(8, 8, 3, red, jpeg_marker(0xee, std::string("Adobe\0\x64\0\0\0\0\0", 12)));
  const std::string_view own("\xff\xe0\0\x10JFIF", 8);
  adobe.erase(adobe.find(own), 18);
  DicomFile file{.height = 8, .width = 8, .syntax = "1.2.840.10008.1.2.4.50", .encapsulated = true};
  file.bits_allocated = file.bits_stored = 8;
  file.is_signed = 0;
  file.n_samples = 3;
  for (const char* photometric : {"RGB", "YBR_FULL", "YBR_FULL_422"}) {
    file.photometric = photometric;
    file.pixels = jfif;
    EXPECT_THAT(gray(dicom(file)), Each(FloatNear(0.299F * 255, 1.5F))) << photometric;
    // Red's luma 76, blue difference 85 and red difference 255, taken as red, green, and blue.
    file.pixels = adobe;
    EXPECT_THAT(gray(dicom(file)), Each(FloatNear(0.299F * 76 + 0.587F * 85 + 0.114F * 255, 2)))
        << photometric;
  }
}

TEST_F(DecodeTest, DicomThatCannotBeReadRightIsRefused) {
  DicomFile file{.pixels = bytes_of(I16{5})};
  file.slope = "two";
  EXPECT_THAT(refusal(dicom(file)), HasSubstr("0028,1053 is 'two'"));
  file.slope = "0";
  EXPECT_THAT(refusal(dicom(file)), HasSubstr("RescaleSlope is 0"));
  file.slope = "1";
  file.before_pixels = dicom_sequence(0x28, 0x3000, {dicom_element(0x28, 0x3004, "LO", "HU")});
  EXPECT_THAT(refusal(dicom(file)), HasSubstr("Modality LUT"));
  file.before_pixels = "";
  file.photometric = "HSV";
  EXPECT_THAT(refusal(dicom(file)), HasSubstr("HSV"));
}

TEST_F(DecodeTest, DicomWhoseNumbersCannotBeIsRefused) {
  DicomFile file{.pixels = bytes_of(I16{5})};
  for (const char* frames : {"0", "-3", "many"}) {
    file.frames = frames;
    EXPECT_THAT(refusal(dicom(file)), HasSubstr(std::string("NumberOfFrames is '") + frames));
  }
  file.frames = "";
  file.bits_stored = 20;
  EXPECT_THAT(refusal(dicom(file)), HasSubstr("stores 20 bits of a pixel in 16"));
  file.bits_stored = 16;
  file.pixels = bytes_of(I16{5, 6, 7});
  EXPECT_THAT(refusal(dicom(file)), HasSubstr("pixels of 3 frames, and its NumberOfFrames says 1"));
  file.n_frames = 2;
  EXPECT_THAT(refusal(dicom(file)), HasSubstr("pixels of 3 frames, and its NumberOfFrames says 2"));
  // A byte that evens the length, and one that is too few for a frame, are none.
  file = {.pixels = "a", .bits_allocated = 8, .bits_stored = 8, .is_signed = 0};
  EXPECT_THAT(gray(dicom(file)), ElementsAre('a'));
  file = {.width = 3, .pixels = bytes_of(I16{1, 2, 3, 0, 0})};
  EXPECT_THAT(gray(dicom(file)), ElementsAre(1, 2, 3));
}

// Both versions, both byte orders, plain and compressed: x of the first axis is a column.
TEST_F(DecodeTest, NiftiIsSlicedAlongItsThirdAxis) {
  for (const int version : {1, 2})
    for (const bool compressed : {false, true}) {
      const NiftiFile file{.version = version,
                           .sizes = {2, 1, 3},
                           .datatype = 4,
                           .pixels = bytes_of(I16{1, 2, 3, 4, -5, 6}),
                           .spacing = {2, 3, 9}};
      const auto slices = decode(compressed ? gzip(nifti(file)) : nifti(file));
      ASSERT_EQ(slices.size(), 3u);
      EXPECT_EQ(header_.width, 2);
      EXPECT_EQ(header_.height, 1);
      EXPECT_THAT(slices[2].gray, ElementsAre(-5, 6));
      EXPECT_EQ(header_.column_spacing, 2);
      EXPECT_EQ(header_.row_spacing, 3);
    }
}

TEST_F(DecodeTest, NiftiIsScaledInItsByteOrderAndUnits) {
  NiftiFile file{.sizes = {2, 1}, .datatype = 4, .pixels = std::string("\0\1\1\0", 4)};
  file.big_endian = true;
  file.slope = 2;
  file.intercept = -1;
  file.spacing = {0.002, 0.003};
  file.units = 1;  // metres
  EXPECT_THAT(gray(nifti(file)), ElementsAre(1, 511));
  EXPECT_FLOAT_EQ(header_.column_spacing, 2);
  file.units = 3;  // microns
  file.spacing = {-500, 0};
  gray(nifti(file));
  EXPECT_FLOAT_EQ(header_.column_spacing, 0.5F);
  EXPECT_TRUE(std::isnan(header_.row_spacing));
  file.datatype = 32;
  file.pixels = std::string(16, '\0');
  EXPECT_THAT(refusal(nifti(file)), HasSubstr("type 32"));  // complex
}

std::string metaimage(const std::string& lines, const std::string& end) {
  return "ObjectType = Image\nNDims = 2\nBinaryData = True\n" + lines + "ElementDataFile = " + end;
}

TEST_F(DecodeTest, MetaImageIsReadFromOneFileOrTwo) {
  const std::string lines =
      "CompressedData = False\nDimSize = 2 1\nElementSpacing = 0.5 0.25\nElementType = MET_SHORT\n";
  const std::string pixels = bytes_of(I16{-1, 300});
  EXPECT_THAT(gray(metaimage(lines, "LOCAL\n") + pixels), ElementsAre(-1, 300));
  EXPECT_EQ(header_.column_spacing, 0.5F);
  EXPECT_EQ(header_.row_spacing, 0.25F);
  write_file(folder_ / "image.raw", pixels);
  EXPECT_THAT(gray(metaimage(lines, "image.raw\n")), ElementsAre(-1, 300));
  write_file(folder_ / "image.raw", "skipped" + pixels);
  EXPECT_THAT(gray(metaimage(lines + "HeaderSize = 7\n", "image.raw\n")), ElementsAre(-1, 300));
  EXPECT_THAT(gray(metaimage(lines + "HeaderSize = -1\n", "image.raw")), ElementsAre(-1, 300));
  EXPECT_THAT(
      gray(metaimage("CompressedData = True\nDimSize = 2 1\nElementType = MET_SHORT\n", "LOCAL\n") +
           zlib(pixels)),
      ElementsAre(-1, 300));
  EXPECT_THAT(gray(metaimage("BinaryDataByteOrderMSB = True\nDimSize = 1 1\nElementType = "
                             "MET_USHORT\nElementNumberOfChannels = 3\n",
                             "LOCAL\n") +
                   std::string("\1\0\0\0\0\0", 6)),
              ElementsAre(FloatNear(256 * 0.299F, 1e-4F)));
}

TEST_F(DecodeTest, NrrdIsReadFromOneFileOrTwo) {
  const std::string head =
      "NRRD0004\n# a comment\ntype: int16\ndimension: 3\nsizes: 2 1 2\nendian: little\n"
      "space directions: (0.3,0.4,0) (0,0,2) (1,0,0)\nspace units: \"mm\" \"mm\" \"mm\"\nkey:=a: "
      "b\n";
  const std::string pixels = bytes_of(I16{1, 2, 3, 4});
  auto slices = decode(head + "encoding: raw\n\n" + pixels);
  EXPECT_THAT(slices.at(1).gray, ElementsAre(3, 4));
  EXPECT_FLOAT_EQ(header_.column_spacing, 0.5F);
  EXPECT_FLOAT_EQ(header_.row_spacing, 2);
  EXPECT_THAT(decode(head + "encoding: gzip\n\n" + gzip(pixels)).at(1).gray, ElementsAre(3, 4));
  write_file(folder_ / "image.raw", "one line\nxx" + pixels);
  EXPECT_THAT(
      decode(head + "encoding: raw\nline skip: 1\nbyte skip: 2\ndata file: image.raw\n").at(0).gray,
      ElementsAre(1, 2));
  EXPECT_THAT(decode(head + "encoding: raw\nbyte skip: -1\ndatafile: image.raw\n").at(1).gray,
              ElementsAre(3, 4));
  EXPECT_THAT(gray("NRRD0005\ntype: uchar\ndimension: 3\nsizes: 3 1 1\nkinds: RGB-color domain "
                   "domain\nencoding: raw\nspacings: nan 0.1 0.2\nunits: \"\" \"cm\" \"cm\"\n\n" +
                   std::string("\xff\0\0", 3)),
              ElementsAre(FloatNear(255 * 0.299F, 1e-4F)));
  EXPECT_FLOAT_EQ(header_.column_spacing, 1);
  EXPECT_THAT(refusal("NRRD0005\ntype: uchar\ndimension: 3\nsizes: 2 1 1\nkinds: vector domain "
                      "domain\nencoding: raw\n\nab"),
              HasSubstr("kind vector"));
  EXPECT_THAT(refusal("NRRD0004\ntype: uchar\ndimension: 1\nsizes: 2\nencoding: hex\n\n00ff"),
              HasSubstr("'hex'"));
}

// Colours on the last axis would be three gray images.
TEST_F(DecodeTest, NrrdMayHaveColoursOnItsFirstAxisOnly) {
  EXPECT_THAT(refusal("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 1 3\nkinds: domain domain "
                      "RGB-color\nencoding: raw\n\nabcdef"),
              AllOf(HasSubstr("rgb-color"), HasSubstr("on axis 3 of 3: save it with them on the "
                                                      "first axis")));
  EXPECT_THAT(decode("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 1 2\nkinds: space space list\n"
                     "encoding: raw\n\nabcd"),
              testing::SizeIs(2));
}

TEST_F(DecodeTest, WordsOfNrrdMayBeInCapitals) {
  const std::string head = "NRRD0004\ntype: INT16\ndimension: 2\nsizes: 2 1\nendian: BIG\n";
  const std::string pixels("\0\1\1\0", 4);
  EXPECT_THAT(gray(head + "encoding: RAW\n\n" + pixels), ElementsAre(1, 256));
  EXPECT_THAT(gray(head + "encoding: GZIP\n\n" + gzip(pixels)), ElementsAre(1, 256));
}

// A data file that is longer than its header says may be another's, unless bytes are skipped.
TEST_F(DecodeTest, PixelsOfAnotherFileMustFillItUnlessSomeAreSkipped) {
  write_file(folder_ / "image.raw", "abcd");
  const std::string lines = "DimSize = 2 1\nElementType = MET_UCHAR\n";
  const std::string head = "NRRD0004\ntype: uchar\ndimension: 2\nsizes: 2 1\nencoding: raw\n";
  EXPECT_THAT(refusal(metaimage(lines, "image.raw\n")), HasSubstr("image.raw has 4 bytes"));
  EXPECT_THAT(refusal(head + "data file: image.raw\n"), HasSubstr("of 1 x 2 are 2"));
  EXPECT_THAT(gray(metaimage(lines + "HeaderSize = 1\n", "image.raw\n")), ElementsAre('b', 'c'));
  EXPECT_THAT(gray(head + "byte skip: 1\ndata file: image.raw\n"), ElementsAre('b', 'c'));
}

TEST_F(DecodeTest, CompressedMetaImageHasTheSizeThatItSays) {
  const std::string packed = zlib("ab");
  const auto file = [&](std::size_t size) {
    return metaimage("CompressedData = True\nCompressedDataSize = " + std::to_string(size) +
                         "\nDimSize = 2 1\nElementType = MET_UCHAR\n",
                     "LOCAL\n") +
           packed;
  };
  EXPECT_THAT(gray(file(packed.size())), ElementsAre('a', 'b'));
  EXPECT_THAT(refusal(file(packed.size() + 1)), HasSubstr("CompressedDataSize"));
}

TEST_F(DecodeTest, NiftiWithoutAnOffsetStartsBehindItsHeader) {
  for (const int version : {1, 2}) {
    NiftiFile file;
    file.version = version;
    file.sizes = {2, 1};
    file.datatype = 2;
    file.pixels = "ab";
    std::string bytes = nifti(file);
    bytes.replace(version == 1 ? 108 : 168, version == 1 ? 4 : 8, version == 1 ? 4 : 8, '\0');
    EXPECT_THAT(gray(bytes), ElementsAre('a', 'b')) << version;
    const std::int16_t bits = 16;
    bytes.replace(version == 1 ? 72 : 14, 2, reinterpret_cast<const char*>(&bits), 2);
    EXPECT_THAT(refusal(bytes), HasSubstr("its type 2 has 8 bits a pixel, and it says 16"));
  }
  std::string half = nifti({.sizes = {2, 1}, .datatype = 2, .pixels = "ab"});
  const float offset = 352.5F;
  half.replace(108, 4, reinterpret_cast<const char*>(&offset), 4);
  EXPECT_THAT(refusal(half), HasSubstr("start at byte 352.5"));
}

// So small that all of it is read before it is known what it is.
TEST_F(DecodeTest, ASmallDamagedNiftiIsSaidToBeThat) {
  const std::string whole = gzip(nifti({.sizes = {2, 1}, .datatype = 2, .pixels = "ab"}));
  EXPECT_THAT(gray(whole), ElementsAre('a', 'b'));
  for (const std::size_t cut :
       {std::size_t{1}, std::size_t{8}, whole.size() / 2, whole.size() - 12})
    EXPECT_THAT(refusal(whole.substr(0, whole.size() - cut)), HasSubstr("is damaged")) << cut;
  std::string wrong = whole;
  wrong[wrong.size() - 8] = static_cast<char>(wrong[wrong.size() - 8] ^ 1);  // of the CRC
  EXPECT_THAT(refusal(wrong), HasSubstr("is damaged"));
}

TEST_F(DecodeTest, HeadersTakePixelsFromTheirOwnFolderOnly) {
  const std::string outside = TestFolder() / "x";  // its folder goes at once: never read
  for (const std::string& name :
       {std::string("/etc/passwd"), std::string("../x.raw"), std::string("../../etc/passwd"),
        std::string("a/../../x"), outside}) {
    EXPECT_THAT(refusal(metaimage("DimSize = 2 1\nElementType = MET_UCHAR\n", name + "\n")),
                AllOf(HasSubstr("outside"), HasSubstr(name)));
    EXPECT_THAT(
        refusal("NRRD0004\ntype: uchar\ndimension: 2\nsizes: 2 1\nencoding: raw\ndata file: " +
                name + "\n"),
        AllOf(HasSubstr("outside"), HasSubstr(name)));
  }
  EXPECT_THAT(refusal(metaimage("DimSize = 2 1\nElementType = MET_UCHAR\n", "gone.raw\n")),
              HasSubstr("gone.raw, which is not there"));
  // A link is where it leads to.
  ASSERT_EQ(symlink("/etc/passwd", (folder_ / "link.raw").c_str()), 0);
  EXPECT_THAT(refusal(metaimage("DimSize = 2 1\nElementType = MET_UCHAR\n", "link.raw\n")),
              HasSubstr("outside"));
  for (const char* several : {"LIST", "slice%03d.raw 1 9 1"})
    EXPECT_THAT(refusal(metaimage("DimSize = 2 1\nElementType = MET_UCHAR\n", several)),
                HasSubstr("several files"));
}

TEST_F(DecodeTest, WhatIsNoImageIsNoneWhateverItsName) {
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"a.dcm", "text"},
                                    {"b.png", ""},
                                    {"c.nii.gz", gzip("x")},
                                    {"d.mhd", "Name = value\n"},
                                    {"e.dcm", std::string(127, '\0') + "DICM"}}) {
    write_file(folder_ / name, bytes);
    EXPECT_FALSE(is_image(folder_ / name)) << name;
    EXPECT_THROW(read_header(folder_ / name), DataError);
  }
  write_file(folder_ / "f.txt", nifti({.sizes = {1}, .pixels = std::string(4, '\0')}));
  EXPECT_TRUE(is_image(folder_ / "f.txt"));
  EXPECT_THROW(is_image(folder_ / "nowhere"), DataError);
}

}  // namespace
}  // namespace attune
