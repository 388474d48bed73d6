// NIfTI, MetaImage and NRRD: headers before raw pixels.

#include <unistd.h>

#include <cmath>
#include <numeric>

#include "tests/import/decode_fixture.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;

using I16 = std::vector<std::int16_t>;

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
  EXPECT_TRUE(is_image(folder_ / "refused"));  // whatever its name
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

}  // namespace
}  // namespace attune
