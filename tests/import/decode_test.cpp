#include "import/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <numeric>

#include "tests/import/decode_fixture.h"

namespace attune {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;

using U8 = std::vector<std::uint8_t>;
using I16 = std::vector<std::int16_t>;

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
