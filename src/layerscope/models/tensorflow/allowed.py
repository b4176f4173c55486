"""The operation types that only calculate, and so may be in a graph that is not trusted."""

from __future__ import annotations

_STRUCTURE = """
    Const Placeholder PlaceholderV2 PlaceholderWithDefault NoOp Identity IdentityN StopGradient
    PreventGradient CheckNumerics CheckNumericsV2 Assert Snapshot EnsureShape GuaranteeConst
    Print RefIdentity RefSwitch RefMerge RefEnter RefExit RefNextIteration Switch Merge Enter Exit
    NextIteration LoopCond ControlTrigger While StatelessWhile If StatelessIf Case StatelessCase
    PartitionedCall StatefulPartitionedCall _Arg _Retval
    TensorArrayV3 TensorArrayReadV3 TensorArrayWriteV3 TensorArrayGatherV3 TensorArrayScatterV3
    TensorArraySizeV3 TensorArrayConcatV3 TensorArraySplitV3 TensorArrayCloseV3 TensorArrayGradV3
    TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather
    TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve
    TensorListResize TensorListScatter TensorListScatterV2 TensorListSetItem TensorListSplit
    TensorListStack StackV2 StackPushV2 StackPopV2 StackCloseV2 Stack StackPush StackPop StackClose
    TensorArray TensorArrayV2 TensorArrayReadV2 TensorArrayWriteV2 TensorArrayGatherV2
    TensorArrayScatterV2 TensorArraySizeV2 TensorArrayConcatV2 TensorArraySplitV2 TensorArrayCloseV2
    TensorArrayGradV2 TensorArrayGradWithShape TensorArrayRead TensorArrayWrite TensorArrayGather
    TensorArrayScatter TensorArraySize TensorArrayConcat TensorArraySplit TensorArrayClose
    TensorArrayGrad TensorArrayPack TensorArrayUnpack EmptyTensorList TensorListConcat
    TensorListConcatLists TensorListPushBackBatch TensorListScatterIntoExistingList EmptyTensorMap
    TensorMapErase TensorMapHasKey TensorMapInsert TensorMapLookup TensorMapSize TensorMapStackKeys
    OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone FakeParam SymbolicGradient
    RefSelect
"""
_VARIABLES = """
    Variable VariableV2 VarHandleOp ReadVariableOp VarIsInitializedOp IsVariableInitialized
    VariableShape Assign AssignAdd AssignSub AssignVariableOp AssignAddVariableOp
    AssignSubVariableOp ResourceGather ResourceGatherNd TemporaryVariable
    DestroyTemporaryVariable DisableCopyOnRead ScatterAdd ScatterSub ScatterUpdate
    ResourceScatterAdd ResourceScatterUpdate CountUpTo
    ApplyAdaMax ApplyAdadelta ApplyAdagrad ApplyAdagradDA ApplyAdam ApplyAddSign
    ApplyCenteredRMSProp ApplyFtrl ApplyFtrlV2 ApplyGradientDescent ApplyMomentum ApplyPowerSign
    ApplyProximalAdagrad ApplyProximalGradientDescent ApplyRMSProp SparseApplyAdagrad
    SparseApplyMomentum SparseApplyRMSProp ResourceApplyAdaMax ResourceApplyAdadelta
    ResourceApplyAdagrad ResourceApplyAdagradV2 ResourceApplyAdam ResourceApplyAdamWithAmsgrad
    ResourceApplyCenteredRMSProp ResourceApplyFtrl ResourceApplyFtrlV2
    ResourceApplyGradientDescent ResourceApplyKerasMomentum ResourceApplyMomentum
    ResourceApplyRMSProp ResourceSparseApplyAdagrad ResourceSparseApplyMomentum
    ApplyAdagradV2 ResourceApplyAdagradDA ResourceApplyAddSign ResourceApplyPowerSign
    ResourceApplyProximalAdagrad ResourceApplyProximalGradientDescent ResourceSparseApplyAdadelta
    ResourceSparseApplyAdagradDA ResourceSparseApplyAdagradV2 ResourceSparseApplyCenteredRMSProp
    ResourceSparseApplyFtrl ResourceSparseApplyFtrlV2 ResourceSparseApplyKerasMomentum
    ResourceSparseApplyProximalAdagrad ResourceSparseApplyProximalGradientDescent
    ResourceSparseApplyRMSProp SparseApplyAdadelta SparseApplyAdagradDA SparseApplyAdagradV2
    SparseApplyCenteredRMSProp SparseApplyFtrl SparseApplyFtrlV2 SparseApplyProximalAdagrad
    SparseApplyProximalGradientDescent ScatterDiv ScatterMax ScatterMin ScatterMul ScatterNdAdd
    ScatterNdMax ScatterNdMin ScatterNdSub ScatterNdUpdate ResourceScatterDiv ResourceScatterMax
    ResourceScatterMin ResourceScatterMul ResourceScatterSub ResourceScatterNdAdd
    ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate
    ResourceStridedSliceAssign StridedSliceAssign ResourceCountUpTo
"""
_MATHEMATICS = """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax ArgMin Asin
    Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3 Betainc Bincount Bitcast
    BitwiseAnd BitwiseOr BitwiseXor Bucketize Cast Ceil ClipByValue Complex ComplexAbs Conj Cos
    Cosh Cross Cumprod Cumsum CumulativeLogsumexp Digamma Div DivNoNan Einsum Equal Erf Erfc
    Erfinv Exp Expm1 FFT FFT2D FFT3D Floor FloorDiv FloorMod Greater GreaterEqual
    HistogramFixedWidth IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D Igamma Igammac Imag Inv
    Invert IsFinite IsInf IsNan
    LeftShift Less LessEqual Lgamma LinSpace Log Log1p LogicalAnd LogicalNot LogicalOr MatMul Max
    Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma Pow Prod
    RFFT RFFT2D RFFT3D Range Real RealDiv Reciprocal RightShift Rint Round Rsqrt SegmentMax
    SegmentMean SegmentMin SegmentProd SegmentSum Select SelectV2 Sigmoid Sign Sin Sinh
    SparseTensorDenseMatMul Sqrt Square SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod
    UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum Xdivy Xlog1py
    Xlogy Zeta Cholesky MatrixInverse MatrixDeterminant MatrixSolve MatrixTriangularSolve Qr Svd
    SelfAdjointEigV2 SelfAdjointEig Eig Lu LogMatrixDeterminant MatrixExponential MatrixLogarithm
    MatrixSolveLs MatrixSquareRoot CholeskyGrad TridiagonalMatMul TridiagonalSolve
    BandedTriangularSolve BesselI0 BesselI0e BesselI1 BesselI1e DenseBincount EuclideanNorm Dawsn
    Expint FresnelCos FresnelSin Spence IgammaGradA PopulationCount SegmentMaxV2 SegmentMinV2
    SegmentProdV2 SegmentSumV2 SparseAdd SparseAddGrad SparseConcat SparseDenseCwiseAdd
    SparseDenseCwiseDiv SparseDenseCwiseMul SparseFillEmptyRows SparseFillEmptyRowsGrad SparseMatMul
    SparseReduceMax SparseReduceMaxSparse SparseReduceSum SparseReduceSumSparse SparseReorder
    SparseReshape SparseSegmentMean SparseSegmentMeanGrad SparseSegmentMeanWithNumSegments
    SparseSegmentSqrtN SparseSegmentSqrtNGrad SparseSegmentSqrtNWithNumSegments SparseSegmentSum
    SparseSegmentSumGrad SparseSegmentSumWithNumSegments SparseSlice SparseSliceGrad SparseSoftmax
    SparseSparseMaximum SparseSparseMinimum SparseSplit SparseTensorDenseAdd ComputeAccidentalHits
    AudioSpectrogram Mfcc
"""
_ARRAYS = """
    BatchToSpace BatchToSpaceND BroadcastArgs BroadcastGradientArgs BroadcastTo Concat ConcatV2
    ConcatOffset ConjugateTranspose DepthToSpace Dequantize Diag DiagPart DynamicPartition
    DynamicStitch EditDistance Empty ExpandDims ExtractImagePatches ExtractVolumePatches
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Gather
    GatherNd GatherV2 InplaceAdd InplaceUpdate InvertPermutation ListDiff LowerBound MatrixBandPart
    MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3
    MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MirrorPad OneHot OnesLike Pack Pad PadV2
    ParallelConcat ParallelDynamicStitch QuantizeAndDequantize QuantizeAndDequantizeV2
    QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeV2 Rank Reshape Reverse ReverseSequence
    ReverseV2 Roll ScatterNd ScatterNdNonAliasingAdd Shape ShapeN Size Slice SpaceToBatch
    SpaceToBatchND SpaceToDepth SparseToDense Split SplitV Squeeze StridedSlice
    TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
    TensorStridedSliceUpdate Tile Transpose Unique UniqueV2 UniqueWithCounts Unpack UnravelIndex
    UpperBound Where ZerosLike DataFormatDimMap DataFormatVecPermute DenseToDenseSetOperation
    DenseToSparseSetOperation SetSize SparseToSparseSetOperation TileGrad UniqueWithCountsV2
    FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVarsGradient
    FakeQuantWithMinMaxVarsPerChannelGradient QuantizeAndDequantizeV4Grad RaggedGather RaggedRange
    RaggedTensorToSparse RaggedTensorToTensor InplaceSub
"""
_NETWORKS = """
    AvgPool AvgPool3D BatchNormWithGlobalNormalization BiasAdd BiasAddV1 BlockLSTM BlockLSTMV2
    CTCGreedyDecoder CTCBeamSearchDecoder CTCLoss CTCLossV2 Conv Conv2D Conv2DBackpropFilter
    Conv2DBackpropInput Conv2DBackpropInputV2 Conv2DBackpropFilterV2 Conv3D Conv3DBackpropFilter
    Conv3DBackpropFilterV2 Conv3DBackpropInput Conv3DBackpropInputV2 CudnnRNN CudnnRNNV2 CudnnRNNV3
    CudnnRNNCanonicalToParams CudnnRNNParamsSize CudnnRNNParamsToCanonical DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Dilation2D Elu
    FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    FusedPadConv2D FusedResizeAndPadConv2D GRUBlockCell InTopK InTopKV2 L2Loss LRN LSTMBlockCell
    LeakyRelu LogSoftmax MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax NthElement Relu Relu6 Selu
    Softmax SoftmaxCrossEntropyWithLogits Softplus Softsign SparseSoftmaxCrossEntropyWithLogits
    TopK TopKV2 QuantizedConv2D QuantizedMatMul QuantizedMaxPool QuantizedAvgPool QuantizedRelu
    QuantizedRelu6 QuantizedReshape QuantizedConcat QuantizedBiasAdd QuantizedAdd QuantizedMul
    QuantizeDownAndShrinkRange QuantizedBatchNormWithGlobalNormalization QuantizedResizeBilinear
    Requantize RequantizationRange
    AvgPoolGrad AvgPool3DGrad BiasAddGrad EluGrad FusedBatchNormGrad FusedBatchNormGradV2
    FusedBatchNormGradV3 InvGrad LRNGrad LeakyReluGrad MaxPoolGrad MaxPoolGradV2 MaxPoolGradGrad
    MaxPool3DGrad MirrorPadGrad ReciprocalGrad Relu6Grad ReluGrad ResizeBicubicGrad
    ResizeBilinearGrad ResizeNearestNeighborGrad RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad
    SoftsignGrad SqrtGrad StridedSliceGrad TanhGrad BlockLSTMGrad BlockLSTMGradV2 GRUBlockCellGrad
    LSTMBlockCellGrad CudnnRNNBackprop CudnnRNNBackpropV2 CudnnRNNBackpropV3
    Dilation2DBackpropFilter Dilation2DBackpropInput FractionalAvgPoolGrad FractionalMaxPoolGrad
    MaxPool3DGradGrad MaxPoolGradGradV2 MaxPoolGradGradWithArgmax MaxPoolGradWithArgmax
    QuantizedConcatV2 QuantizedInstanceNorm QuantizedReluX RequantizationRangePerChannel
    RequantizePerChannel TopKUnique TopKWithUnique
"""
_IMAGES = """
    AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize
    CropAndResizeGradImage CropAndResizeGradBoxes DecodeBmp DecodeGif DecodeImage DecodeJpeg
    DecodePng DrawBoundingBoxes DrawBoundingBoxesV2 ExtractGlimpse ExtractGlimpseV2 HSVToRGB
    ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppression NonMaxSuppressionV2
    NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 CombinedNonMaxSuppression RGBToHSV
    ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor SampleDistortedBoundingBox
    SampleDistortedBoundingBoxV2 ScaleAndTranslate ScaleAndTranslateGrad DecodeAndCropJpeg
    EncodeJpeg EncodePng ExtractJpegShape NonMaxSuppressionWithOverlaps
    StatelessSampleDistortedBoundingBox
"""
_CHANCE = """
    Multinomial ParameterizedTruncatedNormal RandomGamma RandomPoissonV2 RandomShuffle
    RandomStandardNormal RandomUniform RandomUniformInt StatelessMultinomial StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal
    StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformFullInt
    StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
    StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
    RandomCrop RandomGammaGrad RandomPoisson RngReadAndSkip RngSkip StatefulStandardNormal
    StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt
    StatefulUniformInt StatelessShuffle UniformCandidateSampler LogUniformCandidateSampler
    LearnedUnigramCandidateSampler AllCandidateSampler
"""
_TEXTS = """
    AsString AudioSummary AudioSummaryV2 HistogramSummary ImageSummary MergeSummary
    RegexFullMatch ScalarSummary ShardedFilename ShardedFilespec StaticRegexFullMatch StringFormat
    StringJoin StringLength TensorSummary TensorSummaryV2
    DecodeBase64 DecodeRaw ParseExample ParseExampleV2 ParseSingleExample ParseTensor
    StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StringToNumber ReduceJoin
    RegexReplace StaticRegexReplace StringLower StringUpper StringStrip StringSplit StringSplitV2
    Substr EncodeBase64 SerializeTensor ParseSingleSequenceExample ParseSequenceExample
    ParseSequenceExampleV2
"""

CALCULATING = frozenset(
    " ".join(
        (_STRUCTURE, _VARIABLES, _MATHEMATICS, _ARRAYS, _NETWORKS, _IMAGES, _CHANCE, _TEXTS)
    ).split()
)
# What writes and reads checkpoints: part of every MetaGraph and SavedModel, and never run here.
SAVING = frozenset(
    "Save SaveSlices SaveV2 Restore RestoreSlice RestoreV2 MergeV2Checkpoints LookupTableExport "
    "LookupTableExportV2".split()
)
# Tables and looking into them: they may be loaded, but are empty until something fills them.
LOOKING = frozenset(
    """
    HashTable HashTableV2 MutableHashTable MutableHashTableV2 MutableHashTableOfTensors
    MutableHashTableOfTensorsV2 MutableDenseHashTable MutableDenseHashTableV2
    LookupTableFind LookupTableFindV2 LookupTableSize LookupTableSizeV2
    """.split()
)
# What fills tables, some of it out of files: run with trust only.
FILLING = frozenset(
    """
    InitializeTable InitializeTableV2 InitializeTableFromTextFile InitializeTableFromTextFileV2
    LookupTableImport LookupTableImportV2
    """.split()
)
# What fed a network while it was trained, out of memory, and tables that grew by it: cut off, and
# never run.
FEEDING = frozenset(
    """
    FIFOQueue FIFOQueueV2 PaddingFIFOQueue PaddingFIFOQueueV2 PriorityQueue PriorityQueueV2
    RandomShuffleQueue RandomShuffleQueueV2 QueueClose QueueCloseV2 QueueDequeue QueueDequeueV2
    QueueDequeueMany QueueDequeueManyV2 QueueDequeueUpTo QueueDequeueUpToV2 QueueEnqueue
    QueueEnqueueV2 QueueEnqueueMany QueueEnqueueManyV2 QueueIsClosed QueueIsClosedV2 QueueSize
    QueueSizeV2
    Iterator IteratorV2 IteratorGetNext IteratorFromStringHandle IteratorFromStringHandleV2
    IteratorToStringHandle MakeIterator OneShotIterator
    BatchDataset BatchDatasetV2 ConcatenateDataset FilterDataset FlatMapDataset
    InterleaveDataset MapAndBatchDataset
    ExperimentalMapAndBatchDataset MapDataset ModelDataset OptimizeDataset OptionsDataset
    PaddedBatchDataset PaddedBatchDatasetV2 ParallelInterleaveDataset ParallelMapDataset
    ParallelMapDatasetV2 ParallelBatchDataset PrefetchDataset RangeDataset RepeatDataset
    ShuffleAndRepeatDataset ShuffleAndRepeatDatasetV2 ShuffleDataset ShuffleDatasetV2
    ShuffleDatasetV3 SkipDataset TakeDataset TensorDataset TensorSliceDataset ZipDataset
    DummySeedGenerator AnonymousSeedGenerator DummyIterationCounter
    LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2
    ConditionalAccumulator AccumulatorApplyGradient AccumulatorNumAccumulated
    AccumulatorSetGlobalStep AccumulatorTakeGradient SparseConditionalAccumulator
    SparseAccumulatorApplyGradient SparseAccumulatorTakeGradient Barrier BarrierClose
    BarrierIncompleteSize BarrierInsertMany BarrierReadySize BarrierTakeMany
    """.split()
)
