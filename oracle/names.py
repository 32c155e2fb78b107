"""The names that users expect, by kind, and whose numbers they must have; and those left out, with the reason."""

from __future__ import annotations

KERAS = {
    "losses": """
        KLDivergence Poisson BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy
        CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy SparseCategoricalCrossentropy MeanSquaredError
        MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError CosineSimilarity
        LogCosh Huber Hinge SquaredHinge CategoricalHinge Dice Tversky Circle
    """,
    "activations": """
        relu leaky_relu relu6 softmax celu elu selu softplus softsign squareplus soft_shrink
        sparse_plus silu gelu glu tanh tanh_shrink threshold sigmoid sparse_sigmoid exponential
        hard_sigmoid hard_silu hard_tanh hard_shrink linear mish log_softmax log_sigmoid sparsemax
    """,
    "callbacks": """
        BackupAndRestore CSVLogger EarlyStopping History LambdaCallback LearningRateScheduler ModelCheckpoint
        ProgbarLogger ReduceLROnPlateau RemoteMonitor SwapEMAWeights TensorBoard TerminateOnNaN
    """,
    "examples": """
        binary custom_loop deep embedding multi_class multi_label multi_output regression residual subclassed
    """,
    "initializers": """
        Constant Identity Ones Zeros GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal
        LecunUniform Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling
    """,
    "regularizers": "L1 L2 L1L2 OrthogonalRegularizer",
    "constraints": "MaxNorm NonNeg UnitNorm MinMaxNorm",
    "optimizers": """
        Adadelta Adafactor Adagrad Adam Adamax AdamW Ftrl Lamb Lion Muon Nadam RMSprop
        ScheduleFreeAdamW SGD
    """,
    "schedules": """
        ExponentialDecay PiecewiseConstantDecay PolynomialDecay InverseTimeDecay CosineDecay
        CosineDecayRestarts
    """,
    "metrics": """
        MeanSquaredError RootMeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError
        MeanSquaredLogarithmicError CosineSimilarity LogCoshError R2Score AUC FalseNegatives
        FalsePositives Precision PrecisionAtRecall Recall RecallAtPrecision SensitivityAtSpecificity
        SpecificityAtSensitivity TrueNegatives TruePositives ConcordanceCorrelation
        PearsonCorrelation Hinge SquaredHinge CategoricalHinge KLDivergence Poisson
        BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy Accuracy
        BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy TopKCategoricalAccuracy
        SparseTopKCategoricalAccuracy F1Score FBetaScore IoU BinaryIoU MeanIoU OneHotIoU
        OneHotMeanIoU Mean Sum MeanMetricWrapper
    """,
    "layers": """
        Dense EinsumDense Embedding Activation ELU LeakyReLU PReLU ReLU Softmax BatchNormalization
        LayerNormalization GroupNormalization RMSNormalization UnitNormalization
        SpectralNormalization Dropout AlphaDropout GaussianDropout GaussianNoise
        ActivityRegularization Add Average Concatenate Dot Maximum Minimum Multiply Subtract Flatten
        Reshape Permute RepeatVector Masking Lambda Identity Normalization Discretization
        CategoryEncoding Hashing HashedCrossing StringLookup IntegerLookup Rescaling
    """,
}
"""Keras 3.15."""

TORCH = {
    "losses": "GaussianNLL PoissonNLL SmoothL1 TripletMargin",
    "activations": "rrelu",
    "optimizers": "RAdam Rprop LBFGS",
    "schedules": "OneCycle Cyclic CosineWarmRestarts",
}
"""PyTorch 2.13; named in Keras's manner."""

OPTAX = {
    "optimizers": "NAdamW AdaBelief Adan LARS SAM Lookahead ScheduleFree Prodigy",
}
"""Optax 0.2.8."""

FORMULA = {
    "losses": "Quantile",
    "schedules": "CosLog4 FlatCos WarmUp",
    "optimizers": "StochasticWeightAverage",
}
"""In none of them: held against the formula, written in NumPy."""

LEFT_OUT = {
    ("callbacks", "OrbaxCheckpoint"): "needs the package orbax; BackupAndRestore loses nothing",
    ("losses", "CTC"): "speech",
    ("initializers", "STFT"): "speech",
    ("layers", "SpatialDropout1D"): "images and sequences",
    ("layers", "SpatialDropout2D"): "images and sequences",
    ("layers", "SpatialDropout3D"): "images and sequences",
    ("layers", "MixUp"): "images",
    ("layers", "CutMix"): "images",
}
"""Names of those lists that are not here, and why."""


def expected() -> dict[tuple[str, str], str]:
    """(kind, name) to the peer whose numbers it must have."""
    peers = {"Keras": KERAS, "PyTorch": TORCH, "Optax": OPTAX, "formula": FORMULA}
    return {
        (kind, name): peer for peer, kinds in peers.items() for kind, names in kinds.items() for name in names.split()
    }
