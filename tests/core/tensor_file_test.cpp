#include "core/tensor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "core/error.h"
#include "core/file.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::HasSubstr;

// A file around the header, with `data` bytes behind it.
std::string file_of(const std::string& header, std::size_t data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(std::uint64_t{header.size()} >> (8 * i));
  return bytes + header + std::string(data, '\x01');
}

Error error_of(const std::string& bytes) {
  try {
    TensorFile::parse(bytes, "model.safetensors");
  } catch (const Error& error) {
    return error;
  }
  return Error("accepted", "nowhere");
}

std::string wrong(const std::string& header, std::size_t data) {
  return error_of(file_of(header, data)).what();
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

struct Content {
  float weights[6] = {0, -1.5f, 2, 3, 1e-30f, 5};
  std::int64_t steps[1] = {-7};
  std::uint8_t mask[3] = {1, 0, 255};

  std::map<std::string, TensorView> tensors() const {
    return {{"weights", {DType::kF32, {2, 3}, std::as_bytes(std::span(weights))}},
            {"steps", {DType::kI64, {}, std::as_bytes(std::span(steps))}},
            {"mask", {DType::kU8, {3, 1}, std::as_bytes(std::span(mask))}},
            {"nothing", {DType::kF16, {4, 0, 2}, {}}}};
  }
  std::map<std::string, std::string> metadata() const { return {{"format", "conclave"}, {"name", "zwölf \"\\\n"}}; }
  std::string bytes() const { return serialize_tensors(tensors(), metadata()); }
};

void expect_equal(const TensorFile& file, const Content& content) {
  EXPECT_EQ(file.metadata(), content.metadata());
  const auto expected = content.tensors();
  ASSERT_EQ(file.tensors().size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    const TensorView& view = file.at(name);
    EXPECT_EQ(view.dtype, tensor.dtype) << name;
    EXPECT_EQ(view.shape, tensor.shape) << name;
    EXPECT_TRUE(std::equal(view.bytes.begin(), view.bytes.end(), tensor.bytes.begin(), tensor.bytes.end())) << name;
  }
}

TEST(TensorFile, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  const Content content;
  const auto path = folder / "a.safetensors";
  write_tensors(path, content.tensors(), content.metadata());
  expect_equal(TensorFile::open(path), content);
  EXPECT_EQ(TensorFile::open(path).where(), path.string());
}

TEST(TensorFile, EqualContentGivesEqualBytesAndSurvivesAnotherRound) {
  const Content content;
  const TensorFile file = TensorFile::parse(content.bytes(), "a");
  EXPECT_EQ(serialize_tensors(file.tensors(), file.metadata()), content.bytes());
}

TEST(TensorFile, ViewsStayValidWhenTheFileIsMoved) {
  const Content content;
  TensorFile file = TensorFile::parse(content.bytes(), "a");
  const TensorView before = file.at("weights");
  const TensorFile moved = std::move(file);
  EXPECT_EQ(moved.at("weights").bytes.data(), before.bytes.data());
  expect_equal(moved, content);
}

TEST(TensorFile, ReadsAHandWrittenFileInAnyOrderWithSpacesBehindTheHeader) {
  const std::string header =
      "{" + entry("late", "BF16", "[2]", "[3,7]") + "," + entry("early", "BOOL", "[3]", "[0,3]") + "}   ";
  const TensorFile file = TensorFile::parse(file_of(header, 7), "a");
  EXPECT_EQ(file.at("early").bytes.size(), 3u);
  EXPECT_EQ(file.at("late").bytes.data(), file.at("early").bytes.data() + 3);
}

TEST(TensorFile, TruncationAtEveryByteIsAnErrorThatNamesTheFile) {
  const std::string bytes = Content().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THAT(error_of(bytes.substr(0, size)).where(), HasSubstr("model.safetensors")) << size;
}

TEST(TensorFile, EveryFlippedBitEitherParsesWithinTheFileOrThrowsError) {
  const std::string bytes = Content().bytes();
  int refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    try {
      const TensorFile file = TensorFile::parse(damaged, "a");
      std::size_t total = 0;
      for (const auto& [name, tensor] : file.tensors()) total += tensor.bytes.size();
      EXPECT_EQ(total, 6 * 4u + 8u + 3u) << bit;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(TensorFile, RefusesAHeaderThatClaimsMoreThan100MBOrMoreThanTheFile) {
  std::string huge = file_of("{}", 0);
  huge[7] = '\x7f';
  EXPECT_THAT(error_of(huge).what(), HasSubstr("more than 100 MB"));
  std::string longer = file_of("{}", 0);
  longer[0] = 3;
  EXPECT_THAT(error_of(longer).what(), HasSubstr("past the end"));
}

TEST(TensorFile, RefusesWhatIsNotTheFormat) {
  EXPECT_THAT(wrong("[]", 0), HasSubstr("begin with '{'"));
  EXPECT_THAT(wrong("{\"a\":", 0), HasSubstr("not valid JSON"));
  EXPECT_THAT(wrong(std::string("{}\0 ", 4), 0), HasSubstr("not valid JSON at byte 10"));
  EXPECT_THAT(wrong("{\"a\":1}", 0), HasSubstr("a number in the wrong place"));
  EXPECT_THAT(wrong("{\"a\":[[[[]]]]}", 0), HasSubstr("a list in the wrong place"));
  EXPECT_THAT(wrong("{\"a\":{}}", 0), HasSubstr("missing"));
  EXPECT_THAT(wrong("{\"__metadata__\":{\"a\":1}}", 0), HasSubstr("wrong place"));
  EXPECT_THAT(wrong("{" + entry("a", "F32", "[1.5]", "[0,4]") + "}", 4), HasSubstr("fraction"));
  EXPECT_THAT(wrong("{\"a\":{\"dtype\":\"F32\",\"colour\":1}}", 0), HasSubstr("unknown key 'colour'"));
  EXPECT_THAT(wrong("{" + entry("a", "U8", "[1]", "[0]") + "}", 1), HasSubstr("two numbers"));
  EXPECT_THAT(wrong("{" + entry("a", "U8", "[1]", "[0,1,2]") + "}", 1), HasSubstr("two numbers"));
}

TEST(TensorFile, NamesTheTensorThatIsWrong) {
  const auto error = [](const std::string& one, std::size_t data) { return error_of(file_of("{" + one + "}", data)); };
  const std::pair<Error, const char*> cases[] = {
      {error(entry("conv", "F32", "[2]", "[0,7]"), 7), "don't match"},
      {error(entry("conv", "F8", "[2]", "[0,2]"), 2), "unknown dtype 'F8'"},
      {error(entry("conv", "U8", "[-1]", "[0,1]"), 1), "negative"},
      {error(entry("conv", "U8", "[1]", "[-1,0]"), 1), "negative"},
      {error(entry("conv", "F32", "[4611686018427387904,4]", "[0,0]"), 0), "the shape overflows"},
      {error(entry("conv", "U8", "[9223372036854775808]", "[0,0]"), 0), "the shape overflows"},
      {error(entry("conv", "U8", "[2]", "[0,2]"), 1), "past the end"},
      {error(entry("conv", "U8", "[1]", "[1,0]"), 1), "past the end"},
      {error(entry("conv", "U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]"), 1), "16 dimensions"},
      {error(entry("conv", "U8", "[1]", "[0,1]") + "," + entry("conv", "U8", "[1]", "[1,2]"), 2), "twice"},
      {error(entry("other", "U8", "[2]", "[0,2]") + "," + entry("conv", "U8", "[2]", "[1,3]"), 3), "overlaps"},
      {error(entry("other", "U8", "[1]", "[0,1]") + "," + entry("conv", "U8", "[1]", "[2,3]"), 3), "gap"}};
  for (const auto& [found, what] : cases) {
    EXPECT_THAT(found.what(), HasSubstr(what));
    EXPECT_THAT(found.where(), testing::StartsWith("model.safetensors"));
    EXPECT_THAT(found.where(), HasSubstr("'conv'")) << what;
  }
}

TEST(TensorFile, RefusesBytesThatBelongToNoTensor) {
  EXPECT_THAT(wrong("{" + entry("a", "U8", "[1]", "[0,1]") + "}", 3), HasSubstr("2 bytes at the end"));
}

TEST(TensorFile, NamesTheTensorThatIsNotThere) {
  const TensorFile file = TensorFile::parse(Content().bytes(), "model.safetensors");
  try {
    file.at("head\n.weight");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'head?.weight'"));
    EXPECT_EQ(error.where(), "model.safetensors");
  }
}

TEST(TensorFile, WritingRefusesWhatItCouldNotRead) {
  const std::uint8_t one[1] = {1};
  const auto bytes = std::as_bytes(std::span(one));
  EXPECT_THROW(serialize_tensors({{"a", {DType::kF32, {1}, bytes}}}, {}), Error);
  EXPECT_THROW(serialize_tensors({{"a", {DType::kU8, {-1}, bytes}}}, {}), Error);
  EXPECT_THROW(serialize_tensors({{"__metadata__", {DType::kU8, {1}, bytes}}}, {}), Error);
  EXPECT_THROW(serialize_tensors({{"\xff", {DType::kU8, {1}, bytes}}}, {}), Error);
  EXPECT_THROW(serialize_tensors({{"a", {DType::kU8, std::vector<std::int64_t>(17, 1), bytes}}}, {}), Error);
}

TEST(TensorFile, EveryDTypeHasTheSizeAndNameOfTheFormat) {
  const std::tuple<DType, std::size_t, const char*> all[] = {
      {DType::kBool, 1, "BOOL"}, {DType::kU8, 1, "U8"},   {DType::kI8, 1, "I8"},   {DType::kI16, 2, "I16"},
      {DType::kI32, 4, "I32"},   {DType::kI64, 8, "I64"}, {DType::kF16, 2, "F16"}, {DType::kBF16, 2, "BF16"},
      {DType::kF32, 4, "F32"},   {DType::kF64, 8, "F64"}};
  for (const auto& [dtype, size, name] : all) {
    EXPECT_EQ(size_of(dtype), size);
    EXPECT_STREQ(name_of(dtype), name);
    const std::string header = "{" + entry("a", name, "[3]", "[0," + std::to_string(3 * size) + "]") + "}";
    EXPECT_EQ(TensorFile::parse(file_of(header, 3 * size), "a").at("a").dtype, dtype);
  }
}

}  // namespace
}  // namespace conclave
