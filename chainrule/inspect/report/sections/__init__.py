"""The sections of a report, each a function of the `Subject` that it is about.

Reading order:

    subject      what a report is about, gathered once; drawings for its page
    answer       the first screen: what the network does, how good it is, what to look at first
    data         the rows it is judged by
    network      the network, drawn and as a table
    training     curves, and what the doctor found
    classes      how good a classifier is: metrics, confusions, mistakes, calibration
    regression   how good predicted numbers are
    rows         a row of the data in a few cells
    evaluation   loss and metrics as compiled
    layers       what each layer knows: the microscope
    speed        where the time of a step goes, kernel by kernel
    origin       how to make it all again
"""
