"""The known mistakes that end in an error: which of their causes it is, and the remedy with the actual numbers.

Every function here returns the error to raise. They run when a call has failed, so they may take their time: they look
at the user's variables, the source of the failing line, and the history of the tensors.
"""
